"""What is counted of answers, rows and runs."""

import asyncio

from tests import models
from tests.pipeline.ground import Ground, predictions, run


def test_flagged_values_are_told_by_feature(ground: Ground) -> None:
    ground.load("1", models.elementwise("Identity"), "interface: {features: [{name: x, range: {max: 5}}]}")

    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        await ground.ask(7.0, 1.0, 9.0)
        assert ground.notes.faults == {("1", "x", "out_of_range"): 2}
        assert ground.notes.refused_rows == 0

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
