"""What a canary fails, stable answers: for errors, broken rows, full queues and slow runs."""

import asyncio
from dataclasses import replace
from time import perf_counter

import pytest
from onnx import TensorProto

from gateway.errors import ExecutionFailed
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import LimitSettings, Settings
from tests import models
from tests.pipeline.ground import FOR_EVER, REJECTING, Ground, dtype_of, predictions, run
from tests.serving import THREADED


@pytest.mark.parametrize(
    ("canary", "manifest", "value", "reason"),
    [
        pytest.param(models.failing_model(), "", 7.0, "error", id="it raises"),
        pytest.param(models.elementwise("Reciprocal"), "", 0.0, "error", id="it answers infinity"),
        pytest.param(
            models.slow_model(), "serving: {canary_slice_ms: 20}", FOR_EVER, "timeout", id="it takes too long"
        ),
        pytest.param(models.elementwise("Identity"), REJECTING, 7.0, "rejected", id="its contract refuses"),
    ],
)
def test_what_a_canary_fails_is_answered_by_stable(
    ground: Ground, canary: bytes, manifest: str, value: float, reason: str
) -> None:
    ground.load("2", canary, manifest, THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        answer = await asyncio.wait_for(ground.ask(value), 10)
        assert (answer.arm.version, answer.is_fallback, predictions(answer)) == ("1", True, [value])
        assert ground.notes.fallbacks == [reason]
        assert ground.notes.answered_by == ["stable"]
        assert ground.requests() == {("stable", "ok"): 1}

    run(check)


def test_one_broken_row_does_not_send_its_neighbours_away(ground: Ground) -> None:
    ground.load("2", models.elementwise("Reciprocal"))

    async def check() -> None:
        ground.start()
        ground.route()
        bad, good = await asyncio.gather(ground.ask(0.0), ground.ask(2.0, 4.0))
        assert (bad.arm.variant, good.arm.variant) == ("stable", "canary")
        assert predictions(good) == [0.5, 0.25]
        assert ground.requests() == {("stable", "ok"): 1, ("canary", "ok"): 1}

    run(check)


def test_a_full_canary_is_busy_and_stable_answers(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start(Settings(limits=LimitSettings(queue_rows=1)))
        ground.route()
        answers = await asyncio.gather(ground.ask(1.0), ground.ask(2.0))
        assert [answer.arm.variant for answer in answers] == ["canary", "stable"]
        assert ground.notes.fallbacks == ["busy"]

    run(check)


def test_what_waits_behind_a_run_past_its_slice_is_answered_by_stable(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 20}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        first = asyncio.create_task(ground.ask(FOR_EVER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        answers = await asyncio.wait_for(asyncio.gather(first, ground.ask(1.0)), 10)
        assert [predictions(answer) for answer in answers] == [[FOR_EVER], [1.0]]
        assert sorted(ground.notes.fallbacks) == ["busy", "timeout"]

    run(check)


def test_a_canary_that_hangs_does_not_delay_the_canary_of_another_model(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 600}", THREADED)
    ground.load("3", models.elementwise("Identity"), "serving: {canary_slice_ms: 200}", THREADED)

    async def check() -> None:
        ground.start()
        for version in ("1", "3"):
            ground.loaded[("o", version)] = replace(ground.loaded[("m", version)], model="o")
        ground.routes["o"] = RouteDocument("o", 1, "1", "salt", CanaryRoute("3", 10_000))
        ground.route()
        hanging = asyncio.create_task(ground.ask(FOR_EVER))
        await asyncio.sleep(0.01)
        other = await ground.ask(1.0, model="o")
        assert (other.arm.variant, ground.notes.fallbacks) == ("canary", [])
        assert (await hanging).arm.variant == "stable"

    run(check)


def test_a_canary_that_hangs_leaves_a_hasty_client_time_for_stable(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 60000}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(4):
            call = ground.call(FOR_EVER)
            call.deadline = perf_counter() + 0.5
            answer = await ground.pipeline.predict(call)
            assert (answer.arm.variant, answer.is_fallback) == ("stable", True)
        assert len(ground.notes.fallbacks) == 4
        assert ground.notes.trips == []
        assert ground.pipeline.gate.in_flight == 0

    run(check)


def test_what_waits_behind_a_canarys_run_goes_to_stable_where_it_is_in_haste(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 600}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        patient = asyncio.create_task(ground.ask(FOR_EVER))
        for _ in range(3):  # it is asked, and a pass after that brings no more to its run
            await asyncio.sleep(0)
        hasty = ground.call(1.0)
        hasty.deadline = perf_counter() + 1.0
        answer = await ground.pipeline.predict(hasty)
        assert (answer.arm.variant, ground.notes.fallbacks) == ("stable", ["busy"])
        assert (await patient).arm.variant == "stable"

    run(check)


def test_rows_of_a_canary_with_another_graph_are_decoded_again_for_stable(ground: Ground) -> None:
    column = "interface: {features: [{name: a, dtype: float32}]}"
    ground.load("1", models.elementwise("Identity"), column)
    ground.load("2", models.elementwise("Reciprocal", element_type=TensorProto.DOUBLE), column)

    async def check() -> None:
        ground.start()
        ground.route()
        body = b'{"instances": [[0]]}'
        answer = await ground.ask(body=body)
        assert (answer.arm.variant, dtype_of(answer)) == ("stable", "float32")
        assert predictions(answer) == [0.0]
        assert dtype_of(await ground.ask(body=b'{"instances": [[4]]}')) == "float64"

    run(check)


def test_a_canary_and_stable_that_both_fail_tell_the_stable_failure(ground: Ground) -> None:
    ground.load("1", models.failing_model())
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        with pytest.raises(ExecutionFailed, match="m version 1 failed on this input"):
            await ground.ask(7.0)
        assert ground.requests() == {("stable", "server_error"): 1}

    run(check)
