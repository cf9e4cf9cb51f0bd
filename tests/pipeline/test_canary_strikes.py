"""When a canary is taken out, when it is forgiven, and what is no fault of its own."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import perf_counter

import pytest

from gateway.arm import Arm
from gateway.errors import BodyMalformed, ExecutionFailed, InputRejected
from gateway.settings import ServingSettings, Settings
from tests import models
from tests.pipeline.ground import FOR_EVER, REJECTING, Ground, run
from tests.serving import THREADED


class Remembering:
    """A tripwire that never trips and writes down what it is told."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.failed: list[bool] = []
        self.weights: list[int] = []

    def see(self, key_hash: int) -> None:
        self.seen.append(key_hash)

    def fail(self, key_hash: int, *, by_candidate: bool) -> bool:
        self.failed.append(by_candidate)
        return False

    def reset(self, weight_bp: int) -> None:
        self.weights.append(weight_bp)


async def ask_many(ground: Ground, keys: Iterable[int]) -> None:
    """Ask what the failing model does not answer, under one key after the other."""
    for key in keys:
        with suppress(ExecutionFailed):
            await ground.ask(7.0, key=str(key))


def test_a_canary_that_fails_all_keys_gets_no_more_of_them(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        await ask_many(ground, range(20))
        assert ground.notes.trips == ["2"]
        assert ground.notes.tripped_by == ["error"]
        assert 4 < len(ground.notes.fallbacks) < 10
        assert (await ground.ask(1.0)).arm.variant == "stable"
        assert ground.requests() == {("stable", "ok"): 21}

    run(check)


def test_beside_a_stable_that_answers_fewer_failing_keys_are_enough(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route(weight=10.0)
        await ask_many(ground, range(200))
        assert ground.notes.trips == ["2"]
        assert len(ground.notes.fallbacks) <= 6

    run(check)


def test_failures_of_one_key_are_one(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        await ask_many(ground, [1] * 100)
        assert len(ground.notes.fallbacks) == 100
        assert (await ground.ask(1.0)).arm.variant == "canary"

    run(check)


def test_what_stable_fails_as_well_is_no_fault_of_the_canarys(ground: Ground) -> None:
    for version in "12":
        ground.load(version, models.failing_model())

    async def check() -> None:
        ground.start(tripwires=lambda: tripwire)
        ground.route(weight=50.0)
        await ask_many(ground, range(100))
        assert 20 < len(ground.notes.fallbacks) < 80
        assert tripwire.failed == [False] * (100 - len(ground.notes.fallbacks))

    tripwire = Remembering()
    run(check)


def test_every_request_of_the_canary_is_shown_to_its_tripwire_and_a_pinned_one_is_not(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start(tripwires=lambda: tripwire)
        ground.route(weight=50.0)
        await ask_many(ground, range(20))
        with pytest.raises(ExecutionFailed):
            await ground.ask(7.0, version="2")
        assert 3 < len(tripwire.seen) == len(ground.notes.fallbacks) < 17
        assert tripwire.failed == [True] * len(tripwire.seen)

    tripwire = Remembering()
    run(check)


def test_an_answer_of_stables_that_is_not_finite_counts_against_stable(ground: Ground) -> None:
    ground.load("1", models.elementwise("Log"))
    ground.load("2", models.elementwise("Identity"))

    async def check() -> None:
        ground.start(tripwires=lambda: tripwire)
        ground.route(weight=50.0)
        for key in range(20):
            await ground.ask(-1.0, key=str(key))
        assert tripwire.failed == [False] * (20 - len(tripwire.seen))

    tripwire = Remembering()
    run(check)


def canary_of(ground: Ground) -> Arm:
    canary = ground.pipeline.table.find("m").canary
    assert canary is not None
    return canary


def test_what_costs_the_worker_time_takes_the_canary_out_after_three_in_a_row(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 30}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        begun_at = perf_counter()
        while not ground.notes.trips:
            assert (await ground.ask(FOR_EVER, key="one")).arm.variant == "stable"
            await asyncio.sleep(0)
        assert perf_counter() - begun_at > 0.05
        assert ground.notes.trips == ["2"]
        assert set(ground.notes.fallbacks) <= {"timeout", "busy"}
        assert ground.notes.tripped_by == ground.notes.fallbacks[-1:]
        asked = len(ground.notes.fallbacks)
        assert (await ground.ask(FOR_EVER, key="one")).arm.variant == "stable"
        assert len(ground.notes.fallbacks) == asked

    run(check)


def test_one_run_that_is_late_is_one_strike_however_many_waited_for_it(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 300}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        answers = await asyncio.gather(*(ground.ask(FOR_EVER, key=str(key)) for key in range(20)))
        assert {answer.arm.variant for answer in answers} == {"stable"}
        assert ground.notes.fallbacks == ["timeout"] * 20
        assert (canary_of(ground).strikes, ground.notes.trips) == (1, [])

    run(check)


def test_full_queues_trip_a_canary_that_stays_full_and_not_one_that_a_burst_has_filled(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 100}", THREADED)

    async def check() -> None:
        ground.start()
        ground.route()
        canary = canary_of(ground)
        assert [canary.strike(now) for now in (1.0, 1.01, 1.04)] == [False] * 3
        canary.forgive(queued_at=0.9)
        assert canary.strikes == 1
        canary.forgive(queued_at=1.2)
        assert [canary.strike(now) for now in (2.0, 2.11, 2.15, 2.22, 2.4)] == [False, False, False, True, False]

    run(check)


def test_an_answer_forgives_what_cost_time_before_it(ground: Ground) -> None:
    ground.load("2", models.slow_model(), "serving: {canary_slice_ms: 200}", THREADED)

    async def check() -> None:
        ground.start(Settings(serving=ServingSettings(canary_strikes=1_000_000)))
        ground.route()
        canary = canary_of(ground)
        await ground.ask(FOR_EVER)
        assert canary.strikes >= 1
        async with asyncio.timeout(10):
            while (await ground.ask(1.0)).arm.variant == "stable":  # noqa: ASYNC110  # the run that was terminated has no event
                await asyncio.sleep(0.002)
        assert canary.strikes == 0

    run(check)


def test_a_tripwire_is_told_the_weight_of_each_revision_and_of_a_canary_that_is_loaded_late(ground: Ground) -> None:
    async def check() -> None:
        ground.start(tripwires=lambda: tripwire)
        ground.route(weight=50.0)
        assert tripwire.weights == []
        ground.load("2", models.failing_model())
        ground.publish()
        ground.publish()
        ground.route(weight=25.0)
        ground.route(canary=None)
        assert [weight for at, weight in enumerate(tripwire.weights) if tripwire.weights[:at][-1:] != [weight]] == [
            5_000,
            2_500,
            0,
        ]

    tripwire = Remembering()
    run(check)


def test_a_new_revision_lets_a_tripped_canary_begin_anew_and_the_same_one_does_not(ground: Ground) -> None:
    ground.load("2", models.failing_model())

    async def check() -> None:
        ground.start()
        ground.route()
        await ask_many(ground, range(10))
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
