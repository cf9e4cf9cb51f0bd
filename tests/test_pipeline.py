"""The pipeline over real small models: who answers, what a canary's failure costs the client, and what is counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import pytest
from onnx import TensorProto

from gateway.arm import Arm
from gateway.arms import ArmKeeper
from gateway.call import Call
from gateway.codec.decoders import BodyProtocol
from gateway.engine.version import ServableVersion
from gateway.errors import (
    BodyMalformed,
    DeadlineExceeded,
    ExecutionFailed,
    InputRejected,
    ModelNotReady,
    ModelUnknown,
    QueueFull,
    VersionUnknown,
    WeirError,
)
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import FallbackReason, Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute
from gateway.settings import LimitSettings, RoutingSettings, ServingSettings, Settings
from tests import models
from tests.serving import EAGER, THREADED, counted, servable_of

FOR_EVER = 2.0**40
REJECTING = "interface: {features: [{name: x, range: {max: 5}, out_of_range: reject}]}"
Outcome = Call | WeirError


@dataclass
class Notes:
    """An observer that writes down what it sees."""

    answered_by: list[str] = field(default_factory=list)
    faults: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    refused_rows: int = 0
    fallbacks: list[tuple[str, bool]] = field(default_factory=list)
    sheds: list[tuple[str, int]] = field(default_factory=list)
    failures: list[tuple[str, str | None, WeirError | FallbackReason]] = field(default_factory=list)

    def answered(self, calls: Sequence[Call]) -> None:
        self.answered_by += [call.arm.variant for call in calls]

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        self.refused_rows += refused_rows
        for (feature, kind), rows in counts.items():
            self.faults[(arm.version, feature, kind)] += rows

    def shed(self, reason: str, priority: int) -> None:
        self.sheds.append((reason, priority))

    def failed(self, call: Call, arm: Arm | None, why: WeirError | FallbackReason) -> None:
        self.failures.append((call.request_id, arm.variant if arm else None, why))

    def fell_back(self, arm: Arm, reason: FallbackReason, *, tripped: bool) -> None:
        self.fallbacks.append((reason, tripped))


class Ground:
    """A worker's data plane without its processes: versions, routes, and calls on them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "counters").mkdir()
        self._counters = SharedCounters.create(directory / "counters", "w", role="worker", capacity=65_536)
        self.loaded: dict[tuple[str, str], ServableVersion] = {}
        self.routes: dict[str, RouteDocument] = {}
        self.notes = Notes()

    def load(self, version: str, model_bytes: bytes, manifest: str = "", serving: ServingSettings = EAGER) -> None:
        folder = self._directory / version
        self.loaded[("m", version)] = servable_of(folder, model_bytes, manifest=manifest, serving=serving)

    def start(self, settings: Settings | None = None) -> None:
        """Build the data plane on the running loop."""
        self.settings = settings or Settings(serving=ServingSettings(canary_slice_ms=10_000))
        self.keeper = ArmKeeper(asyncio.get_running_loop(), self._counters, self.settings)
        limits = self.settings.limits
        self.pipeline = Pipeline(self.notes, queue_rows=limits.queue_rows, timeout_s=limits.request_timeout_s)

    def route(self, stable: str = "1", canary: str | None = "2", weight: float = 100.0, **more: Any) -> None:
        revision = self.routes["m"].revision + 1 if "m" in self.routes else 1
        document = CanaryRoute(canary, round(weight * 100)) if canary else None
        self.routes["m"] = RouteDocument("m", revision, stable, "salt", document, **more)
        self.publish()

    def publish(self) -> None:
        self.pipeline.table = self.keeper.build(self.routes, self.loaded)

    def call(self, *values: Any, request_id: str = "r", **named: Any) -> Call:
        fields: dict[str, Any] = {"model": "m", "version": None, "key": None, "protocol": "plain"} | named
        body = fields.pop("body", None) or json.dumps({"instances": [{"x": value} for value in values]}).encode()
        return Call(
            fields.pop("model"),
            fields.pop("version"),
            **fields,
            body=body,
            request_id=request_id,
            received_at=perf_counter(),
        )

    async def ask(self, *values: Any, **named: Any) -> Call:
        return await self.pipeline.predict(self.call(*values, **named))

    def submit(self, *values: Any, **named: Any) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.pipeline.submit(self.call(*values, **named), outcomes.append)
        return outcomes

    def requests(self) -> dict[tuple[str, str], int]:
        """Return requests counted, by variant and outcome."""
        variants = ("stable", "canary", "pinned")
        outcomes = ("ok", "client_error", "server_error", "timeout", "shed")
        found = {(v, o): int(self.metric("requests", variant=v, outcome=o)) for v in variants for o in outcomes}
        return {name: count for name, count in found.items() if count}

    def metric(self, name: str, **labels: str) -> float:
        return counted(self._directory / "counters", f"weir_{name}_total", **labels)

    def close(self) -> None:
        if hasattr(self, "keeper"):
            self.keeper.close()
        self._counters.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    ground.load("1", models.elementwise("Identity"))
    yield ground
    ground.close()


Check = Callable[[], Coroutine[Any, Any, None]]


def run(check: Check) -> None:
    asyncio.run(check())


async def eventually(ask: Callable[[], Coroutine[Any, Any, Call]]) -> Call:
    """Ask until the run that was terminated has come back."""
    async with asyncio.timeout(10):
        while True:
            with suppress(ModelNotReady, DeadlineExceeded):
                return await ask()
            await asyncio.sleep(0.002)


def dtype_of(answer: Call) -> str:
    assert answer.values_nd is not None
    return answer.values_nd.dtype.name


def predictions(answer: Call) -> list[Any]:
    return answer.arm.servable.reader.predictions(answer.outputs)


def test_keys_stick_and_a_higher_weight_only_adds(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        taken: list[set[str]] = []
        for weight in (0.0, 10.0, 10.0, 40.0, 100.0):
            ground.route(weight=weight)
            answers = [await ground.ask(1.0, key=f"user-{i}", request_id=f"{weight}-{i}") for i in range(200)]
            taken.append({f"user-{i}" for i, answer in enumerate(answers) if answer.arm.variant == "canary"})
        none, some, again, more, every = taken
        assert none == set()
        assert some == again
        assert some < more < every
        assert 8 <= len(some) <= 35
        assert len(every) == 200

    run(check)


def test_without_a_key_the_request_id_decides(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        first = [(await ground.ask(1.0, request_id=f"r{i}")).arm.variant for i in range(40)]
        second = [(await ground.ask(1.0, request_id=f"r{i}", key="")).arm.variant for i in range(40)]
        keyed = [(await ground.ask(1.0, request_id="other", key=f"r{i}")).arm.variant for i in range(40)]
        assert first == second == keyed
        assert set(first) == {"stable", "canary"}

    run(check)


def test_an_answer_names_version_revision_and_times(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        answer = await ground.ask(1.0, 2.0)
        assert (answer.arm.version, answer.arm.variant, answer.route.revision, answer.is_fallback) == (
            "1",
            "stable",
            1,
            False,
        )
        assert predictions(answer) == [1.0, 2.0]
        assert 0 < answer.inference_s < answer.total_s
        assert 0 <= answer.queue_s < answer.total_s

    run(check)


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
        assert ground.notes.fallbacks == [(reason, False)]
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
        assert ground.notes.fallbacks == [("busy", False)]

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
        assert sorted(reason for reason, _ in ground.notes.fallbacks) == ["busy", "timeout"]

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


def test_three_failures_in_a_row_send_the_canary_no_more(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(5):
            assert (await ground.ask(7.0)).arm.variant == "stable"
        assert ground.notes.fallbacks == [("error", False), ("error", False), ("error", True)]
        assert (await ground.ask(1.0)).arm.variant == "stable"
        assert ground.requests() == {("stable", "ok"): 6}

    run(check)


def test_a_success_between_failures_forgives_them(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for value in (7.0, 7.0, 1.0, 7.0, 7.0):
            await ground.ask(value)
        assert [tripped for _, tripped in ground.notes.fallbacks] == [False] * 4
        answer = await ground.ask(1.0)
        assert (answer.arm.variant, predictions(answer)) == ("canary", [20.0])
        assert ground.requests() == {("stable", "ok"): 4, ("canary", "ok"): 2}

    run(check)


def test_a_new_revision_lets_a_tripped_canary_begin_anew_and_the_same_one_does_not(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(3):
            await ground.ask(7.0)
        ground.publish()
        assert (await ground.ask(1.0)).arm.variant == "stable"
        ground.route()
        assert (await ground.ask(1.0)).arm.variant == "canary"

    run(check)


def test_a_client_that_sends_nonsense_cannot_trip_the_canary(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"), REJECTING)

    async def check() -> None:
        ground.start()
        ground.route()
        for body in (b"{", b'{"instances": [{"x": "y"}]}', b'{"instances": [[1, 2]]}') * 2:
            with pytest.raises((BodyMalformed, InputRejected)):
                await ground.ask(body=body)
        assert ground.notes.fallbacks == []
        assert (await ground.ask(1.0)).arm.variant == "canary"
        assert ground.requests() == {("stable", "client_error"): 6, ("canary", "ok"): 1}

    run(check)


def test_a_fault_against_a_contract_that_both_share_is_the_clients(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        with pytest.raises(InputRejected):
            await ground.ask("y", 1.0)
        assert ground.requests() == {("canary", "client_error"): 1}
        assert ground.notes.faults == {("2", "x", "wrong_type"): 1}
        assert ground.notes.refused_rows == 2

    run(check)


def test_what_only_the_canary_refuses_is_counted_as_its_fault(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"), REJECTING)

    async def check() -> None:
        ground.start()
        ground.route()
        await ground.ask(7.0, 8.0, 1.0)
        assert ground.notes.faults == {("2", "x", "out_of_range"): 2}
        assert ground.notes.refused_rows == 3

    run(check)


def test_flagged_values_are_told_by_feature(ground: Ground) -> None:
    ground.load("1", models.elementwise("Identity"), "interface: {features: [{name: x, range: {max: 5}}]}")

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        await ground.ask(7.0, 1.0, 9.0)
        assert ground.notes.faults == {("1", "x", "out_of_range"): 2}
        assert ground.notes.refused_rows == 0

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


def test_a_pinned_version_answers_for_itself(ground: Ground) -> None:
    ground.load("2", models.failing_model())
    ground.load("3", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route(weight=0.0)
        answer = await ground.ask(1.0, version="3")
        assert (answer.arm.variant, answer.arm.version, predictions(answer)) == ("pinned", "3", [20.0])
        with pytest.raises(ExecutionFailed):
            await ground.ask(7.0, version="2")
        assert ground.notes.fallbacks == []
        assert ground.requests() == {("pinned", "ok"): 1, ("pinned", "server_error"): 1}

    run(check)


def test_names_that_nothing_answers_to_are_told(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        with pytest.raises(ModelUnknown):
            await ground.ask(1.0, model="other")
        with pytest.raises(VersionUnknown):
            await ground.ask(1.0, version="9")
        assert ground.requests() == {}

    run(check)


def test_without_a_name_the_body_or_the_only_model_answers(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        assert (await ground.ask(1.0, model=None)).arm.model == "m"
        body = b'{"instances": [{"x": 1}], "model": "m"}'
        assert (await ground.ask(model=None, body=body)).arm.model == "m"
        with pytest.raises(ModelUnknown):
            await ground.ask(model=None, body=body.replace(b'"m"', b'"o"'))
        ground.routes["o"] = RouteDocument("o", 1, "1", "salt")
        ground.publish()
        with pytest.raises(ModelUnknown, match="several are served"):
            await ground.ask(1.0, model=None)
        assert (await ground.ask(model=None, body=body)).arm.model == "m"

    run(check)


def test_the_default_model_is_a_setting(ground: Ground) -> None:
    async def check() -> None:
        ground.start(Settings(routing=RoutingSettings(default_model="m")))
        ground.routes["o"] = RouteDocument("o", 1, "1", "salt")
        ground.route(canary=None)
        assert (await ground.ask(1.0, model=None)).arm.model == "m"

    run(check)


def test_a_stable_version_that_is_not_loaded_is_told(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(stable="5", canary=None)
        with pytest.raises(ModelNotReady, match="its stable version 5 is not loaded"):
            await ground.ask(1.0)

    run(check)


def test_a_route_to_a_version_that_is_not_loaded_waits_while_the_present_one_serves(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        ground.route(stable="5", canary=None)
        answer = await ground.ask(1.0)
        assert (answer.arm.version, answer.route.revision) == ("1", 1)
        ground.load("5", models.elementwise("Identity"))
        ground.publish()
        answer = await ground.ask(1.0)
        assert (answer.arm.version, answer.route.revision) == ("5", 2)

    run(check)


def test_a_canary_that_is_not_loaded_gets_no_traffic(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route()
        answer = await ground.ask(1.0)
        assert (answer.arm.variant, answer.is_fallback) == ("stable", False)

    run(check)


def test_a_canary_that_hangs_leaves_a_hasty_client_time_for_stable(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 60000}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        for _ in range(5):
            call = ground.call(FOR_EVER)
            call.deadline = perf_counter() + 0.2
            answer = await ground.pipeline.predict(call)
            assert (answer.arm.variant, answer.is_fallback) == ("stable", True)
        assert {tripped for _, tripped in ground.notes.fallbacks} == {False}
        assert ground.pipeline.gate.in_flight == 0

    run(check)


def test_what_waits_behind_a_canarys_run_goes_to_stable_where_it_is_in_haste(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 600}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        patient = asyncio.create_task(ground.ask(FOR_EVER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        hasty = ground.call(1.0)
        hasty.deadline = perf_counter() + 1.0
        answer = await ground.pipeline.predict(hasty)
        assert (answer.arm.variant, ground.notes.fallbacks) == ("stable", [("busy", False)])
        assert (await patient).arm.variant == "stable"

    run(check)


def test_a_full_queue_is_shed(ground: Ground) -> None:
    async def check() -> None:
        ground.start(Settings(limits=LimitSettings(queue_rows=2)))
        ground.route(canary=None)
        first, second = ground.submit(1.0, 2.0), ground.submit(3.0)
        assert [str(error) for error in second] == ["the queue of m holds its limit of 2 rows"]
        assert isinstance(second[0], QueueFull)
        await asyncio.sleep(0)
        assert [type(outcome) for outcome in first] == [Call]
        assert ground.requests() == {("stable", "ok"): 1, ("stable", "shed"): 1}

    run(check)


def test_a_stable_run_past_the_deadline_is_told_and_the_version_serves_on(ground: Ground) -> None:
    ground.load("1", models.slow_model(), serving=THREADED)

    async def check() -> None:
        ground.start(Settings(limits=LimitSettings(request_timeout_s=0.05)))
        ground.route(canary=None)
        with pytest.raises(DeadlineExceeded, match=r"within 0.05 s"):
            await ground.ask(FOR_EVER)
        assert ground.requests() == {("stable", "timeout"): 1}
        answer = await eventually(lambda: ground.ask(1.0))
        assert predictions(answer) == [1.0]

    run(check)


@pytest.mark.parametrize("serving", [EAGER, THREADED], ids=["on the loop", "in a thread"])
def test_a_reply_comes_once_for_each_call(ground: Ground, serving: ServingSettings) -> None:
    ground.load("1", models.elementwise("Identity"), serving=serving)
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        outcomes: list[Outcome] = []
        arrived = asyncio.Event()

        def reply(outcome: Outcome) -> None:
            outcomes.append(outcome)
            if len(outcomes) == 42:
                arrived.set()

        for i in range(40):
            ground.pipeline.submit(ground.call(float(i % 5), request_id=f"r{i}"), reply)
        for body in (b"{", b"[]"):
            ground.pipeline.submit(ground.call(body=body), reply)
        assert [type(outcome) for outcome in outcomes] == [BodyMalformed, BodyMalformed]
        await asyncio.wait_for(arrived.wait(), 10)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(outcomes) == 42
        answers = {outcome.request_id for outcome in outcomes if isinstance(outcome, Call)}
        assert answers == {f"r{i}" for i in range(40)}
        assert sum(ground.requests().values()) == 42

    run(check)


def test_a_cancelled_call_has_no_reply_and_does_not_run(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        outcomes: list[Outcome] = []
        ticket = ground.pipeline.submit(ground.call(1.0), outcomes.append)
        other = ground.submit(2.0)
        ticket.cancel()
        await asyncio.sleep(0)
        assert outcomes == []
        assert len(other) == 1
        assert ground.requests() == {("stable", "ok"): 1}
        assert ground.metric("rows") == 1

    run(check)


def test_a_cancelled_task_cancels_its_call_only(ground: Ground) -> None:
    ground.load("1", models.elementwise("Identity"), serving=THREADED)

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        tasks = [asyncio.create_task(ground.ask(float(i))) for i in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        first, cancelled, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(cancelled, asyncio.CancelledError)
        assert isinstance(first, Call)
        assert isinstance(last, Call)
        assert predictions(first) + predictions(last) == [0.0, 2.0]

    run(check)


def test_a_call_that_is_cancelled_while_its_canary_fails_is_not_run_again(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        outcomes: list[Outcome] = []
        ticket = ground.pipeline.submit(ground.call(7.0), outcomes.append)
        await asyncio.sleep(0)
        ticket.cancel()
        assert (await ground.ask(1.0)).arm.variant == "canary"
        assert outcomes == []
        assert ground.requests() == {("canary", "ok"): 1}

    run(check)


KEYED = "interface: {{features: [{{name: x}}], key_feature: {0}}}"


def test_a_feature_may_be_the_key(ground: Ground) -> None:
    manifest = KEYED.format("x")
    ground.load("1", models.elementwise("Identity"), manifest)
    ground.load("2", models.elementwise("Identity"), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        by_value = [(await ground.ask(float(i), request_id=f"r{i}")).arm.variant for i in range(40)]
        again = [(await ground.ask(float(i), request_id=f"s{i}")).arm.variant for i in range(40)]
        assert by_value == again
        assert set(by_value) == {"stable", "canary"}
        header = [(await ground.ask(float(i), key="same")).arm.variant for i in range(40)]
        assert len(set(header)) == 1

    run(check)


def test_a_key_feature_that_is_missing_leaves_it_to_the_request_id(ground: Ground) -> None:
    manifest = "interface: {features: [{name: x, missing: flag}], key_feature: x}"
    for version in ("1", "2"):
        ground.load(version, models.elementwise("Identity"), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        calls = [ground.call(None, request_id=f"r{i}") for i in range(40)]
        outcomes: list[list[Outcome]] = [[] for _ in calls]
        for call, outcome in zip(calls, outcomes, strict=True):
            ground.pipeline.submit(call, outcome.append)
        assert all(call.key is None for call in calls)

    run(check)


def test_a_key_may_be_a_string_feature(ground: Ground) -> None:
    features = "[{name: petal_length}, {name: petal_width}, {name: sepal, dtype: string}]"
    manifest = f"interface: {{features: {features}, key_feature: sepal}}"
    for version in ("1", "2"):
        ground.load(version, models.columns_classifier(), manifest)

    async def check() -> None:
        ground.start()
        ground.route(weight=50.0)
        for size in models.IRIS_SIZES:
            call = ground.call(body=json.dumps({"instances": [[1.5, 0.2, size]]}).encode())
            await ground.pipeline.predict(call)
            assert call.key == size

    run(check)


def test_a_key_feature_that_the_model_does_not_have_leaves_it_to_the_request_id(ground: Ground) -> None:
    async def check() -> None:
        ground.start(Settings(routing=RoutingSettings(key_feature="user")))
        ground.route(canary=None)
        call = ground.call(1.0)
        await ground.pipeline.predict(call)
        assert call.key is None

    run(check)


def test_broken_rows_of_stable_are_answered_and_counted_row_by_row(ground: Ground) -> None:
    ground.load("1", models.elementwise("Reciprocal"))

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        answer = await ground.ask(1.0, 0.0, 2.0, 0.0)
        assert predictions(answer) == [1.0, float("inf"), 0.5, float("inf")]
        assert ground.metric("broken_outputs", variant="stable") == 2
        assert ground.metric("rows", variant="stable") == 4

    run(check)


def test_runs_are_counted_and_a_batch_is_one(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        await asyncio.gather(*(ground.ask(1.0, 2.0) for _ in range(10)))
        assert ground.metric("runs", variant="stable") == 1
        assert ground.metric("rows", variant="stable") == 20

    run(check)


def test_an_observer_that_fails_costs_nobody_an_answer(ground: Ground) -> None:
    class Broken(Notes):
        def answered(self, calls: Sequence[Call]) -> None:
            raise OSError("a bug of a monitor")

    ground.notes = Broken()

    async def check() -> None:
        ground.start()
        told: list[Mapping[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        ground.route(canary=None)
        answers = await asyncio.gather(ground.ask(1.0), ground.ask(2.0))
        assert [predictions(answer) for answer in answers] == [[1.0], [2.0]]
        assert [type(context["exception"]) for context in told] == [OSError]

    run(check)


def test_a_caller_whose_reply_fails_does_not_keep_others_from_theirs(ground: Ground) -> None:
    def fail(_outcome: Outcome) -> None:
        raise KeyError("a bug of this caller's")

    async def check() -> None:
        ground.start()
        told: list[Mapping[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        ground.route(canary=None)
        ground.pipeline.submit(ground.call(1.0), fail)
        ground.pipeline.submit(ground.call(body=b"{"), fail)
        assert predictions(await ground.ask(2.0)) == [2.0]
        assert [type(context["exception"]) for context in told] == [KeyError, KeyError]
        assert ground.pipeline.gate.in_flight == 0

    run(check)


def test_arms_last_as_long_as_their_role(ground: Ground) -> None:
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start()
        ground.route()
        before = ground.pipeline.table.find("m")
        ground.route(weight=5.0)
        after = ground.pipeline.table.find("m")
        assert (after.stable, after.canary) == (before.stable, before.canary)
        ground.route(stable="2", canary=None)
        promoted = ground.pipeline.table.find("m")
        assert promoted.stable is not before.canary
        assert ground.keeper.arms() == {promoted.stable}

    run(check)


def test_a_version_that_is_loaded_again_gets_a_new_arm(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        before = ground.pipeline.table.find("m").stable_arm()
        ground.load("1", models.elementwise("Identity"))
        ground.publish()
        after = ground.pipeline.table.find("m").stable_arm()
        assert after is not before
        assert after.servable is ground.loaded[("m", "1")]

    run(check)


def test_shadows_sample_by_a_salt_of_their_own(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None, shadows=(ShadowRoute("7", 3_000), ShadowRoute("8", 10_000), ShadowRoute("9", 3_000)))
        seven, eight, nine = ground.pipeline.table.find("m").shadows
        taken = [{i for i in range(1000) if shadow.takes(f"r{i}")} for shadow in (seven, eight, nine)]
        assert len(taken[1]) == 1000
        assert 200 < len(taken[0]) < 400
        assert len(taken[0] & taken[2]) < 150

    run(check)


@pytest.mark.parametrize("protocol", get_args(BodyProtocol))
def test_every_protocol_takes_the_same_way(ground: Ground, protocol: BodyProtocol) -> None:
    tensor = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}
    bodies: dict[str, Any] = {"v2": {"inputs": [tensor]}, "mlflow": {"inputs": {"x": [1, 2]}}}
    body = json.dumps(bodies.get(protocol, {"instances": [[1], [2]]})).encode()

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        assert predictions(await ground.ask(body=body, protocol=protocol)) == [1.0, 2.0]
        assert ground.requests() == {("stable", "ok"): 1}

    run(check)
