"""Where the time of a request goes, as the metrics say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.metrics.totals import Series, read_counters
from tests.pipeline.ground import Ground, run

RUNS = 17


def phases(folder: Path) -> dict[str, Series]:
    """Return the histogram of each phase of stable's requests."""
    found = [one for one in read_counters(folder / "counters") if one.name == "weir_phase_duration_seconds"]
    return {one.labels["phase"]: one for one in found if one.labels["variant"] == "stable"}


def test_one_request_of_every_eighth_run_is_looked_at(ground: Ground, tmp_path: Path) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        for _ in range(RUNS):
            await ground.ask(1.0)

    run(check)
    assert {phase: one.value for phase, one in phases(tmp_path).items()} == dict.fromkeys(
        ("decode", "queue", "encode", "overhead"), 3
    )


def test_a_batch_is_looked_at_once(ground: Ground, tmp_path: Path) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        await asyncio.gather(*(ground.ask(1.0) for _ in range(RUNS)))

    run(check)
    assert ground.metric("runs", variant="stable") == 1
    assert {one.value for one in phases(tmp_path).values()} == {1}


def test_what_is_neither_waiting_nor_running_is_overhead(ground: Ground, tmp_path: Path) -> None:
    async def check() -> None:
        ground.start()
        ground.route(canary=None)
        answer = await ground.ask(1.0)
        found = {phase: one.sum for phase, one in phases(tmp_path).items()}
        assert found["queue"] == pytest.approx(answer.queue_s, abs=1e-8)
        own_s = answer.total_s - answer.queue_s - answer.inference_s
        assert found["overhead"] == pytest.approx(own_s + found["encode"], abs=1e-8)
        assert 0 < found["decode"] < found["overhead"]

    run(check)
