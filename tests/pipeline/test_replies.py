"""A reply comes once, or not at all: deadlines, full queues, callers that leave, observers and replies that fail."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.call import Call
from gateway.errors import BodyMalformed, DeadlineExceeded, Overloaded, QueueFull
from gateway.settings import LimitSettings, ServingSettings, Settings
from tests import models
from tests.pipeline.ground import FOR_EVER, Ground, Notes, Outcome, eventually, keeping, predictions, run
from tests.serving import EAGER, THREADED


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


def test_what_finds_no_room_counts_to_the_stable_version_of_its_model(ground: Ground) -> None:
    async def check() -> None:
        ground.start()
        ground.route(weight=100.0)
        ground.pipeline.gate.limits = (0, 0, 0)
        for model in ("m", None, "nobody"):
            assert [type(outcome) for outcome in ground.submit(1.0, model=model)] == [Overloaded]
            ground.notes.passes_over = True
            assert isinstance(ground.pipeline.turns_away(model, 1), Overloaded)
        assert ground.requests() == {("stable", "shed"): 4}
        assert len(ground.notes.sheds) == 6

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

        def reply(_call: Call, outcome: Outcome) -> None:
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
        ticket = ground.pipeline.submit(ground.call(1.0), keeping(outcomes))
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
        ticket = ground.pipeline.submit(ground.call(7.0), keeping(outcomes))
        await asyncio.sleep(0)
        ticket.cancel()
        assert (await ground.ask(1.0)).arm.variant == "canary"
        assert outcomes == []
        assert ground.requests() == {("canary", "ok"): 1}

    run(check)


def test_an_observer_that_fails_costs_nobody_an_answer(ground: Ground) -> None:
    class Broken(Notes):
        def answered(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
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
    def fail(_call: Call, _outcome: Outcome) -> None:
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
