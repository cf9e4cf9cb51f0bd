"""Does anything stay behind, or is anything miscounted, after minutes of good and bad clients?

Every kind of client asks a model of its own, all the same small one, so that the gateway's counters of a model can be
held against what its clients got. Resident memory, open files, threads and asyncio tasks are read all the time, and a
line is laid through them.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from benchmarks.serving.machine import CpuTimes, cpu_times, foreign_share
from benchmarks.serving.models import write_models
from benchmarks.serving.process import ServerFailed
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.clients import KINDS, NO_ANSWER, Tally, request_for
from benchmarks.serving.trials.footprint import footprint, growth
from benchmarks.serving.trials.gateway import Gateway, gateway, wait_until
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Soak

__all__ = ["soak"]

_MODELS = ("first", "good", "slow", "pipelined", "cancelled", "half", "wrong")
_PROBE = Path(__file__).parent / "probe"
_SAMPLE_S = 2.0
_IN_FLIGHT = "in flight"
"""The look at the metrics page is itself in flight."""

Samples = list[tuple[float, dict[str, float]]]


def soak(plan: Plan) -> Soak:
    """Let all kinds of clients at the gateway for the plan's minutes."""
    staged = write_models(plan.folder / "models", ["small"])["small"]
    models = plan.folder / "models/soaked"
    for model in _MODELS:
        file = models / model / "1" / "model.onnx"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.hardlink_to(staged)
    with tempfile.TemporaryDirectory(prefix="weir-tasks-") as task_counts:
        variables = {"PYTHONPATH": str(_PROBE), "TASK_COUNTS": task_counts}
        with gateway(models, request_for("first"), cores=(plan.core,), variables=variables) as server:
            for model in _MODELS:
                wait_until(partial(_is_ready, server, model), f"{model} ready")
            return _measured(plan, server, Path(task_counts))


def _is_ready(server: Gateway, model: str) -> bool:
    return server.get(f"/v2/models/{model}/ready").is_success


def _measured(plan: Plan, server: Gateway, task_counts: Path) -> Soak:
    before = cpu_times(server.root)
    tallies, samples, stood_still_s = asyncio.run(_load(plan, server, task_counts))
    after = cpu_times(server.root)
    return _record(plan, server, tallies, samples, stood_still_s, (before, after))


async def _load(plan: Plan, server: Gateway, task_counts: Path) -> tuple[dict[str, Tally], Samples, float]:
    """Run all clients until the time is over; watch the processes meanwhile, and for how long the clients stood still.

    Clients that their host stops find connections closed on them and answers that are too old, and call it the
    gateway's fault.
    """
    tallies = {name: Tally() for name in KINDS}
    until_s = time.perf_counter() + plan.minutes * 60
    samples: Samples = []
    stood_still_s = 0.0
    async with asyncio.TaskGroup() as clients:
        for name, kind in KINDS.items():
            for _ in range(kind.clients):
                clients.create_task(kind.act(server.port, tallies[name], lambda: time.perf_counter() < until_s))
        while time.perf_counter() < until_s:
            samples.append((time.perf_counter(), footprint(server, task_counts)))
            began_s = time.perf_counter()
            await asyncio.sleep(_SAMPLE_S)
            stood_still_s = max(stood_still_s, time.perf_counter() - began_s - _SAMPLE_S)
    return tallies, samples, stood_still_s


def _record(
    plan: Plan,
    server: Gateway,
    tallies: dict[str, Tally],
    samples: Samples,
    stood_still_s: float,
    clocks: tuple[CpuTimes, CpuTimes],
) -> Soak:
    at_s, figures = zip(*samples[1:], strict=True)
    return Soak(
        part="soak",
        round=plan.round,
        foreign=foreign_share(*clocks),
        minutes=plan.minutes,
        sent={name: tally.sent for name, tally in tallies.items()},
        answers={name: {str(status): n for status, n in tally.answers.items()} for name, tally in tallies.items()},
        undeserved={name: tally.undeserved for name, tally in tallies.items() if tally.undeserved},
        counters=_counters(server, tallies),
        growth=growth(at_s, figures),
        p99_ms=percentiles_ms(tallies["good"].took_s, 99)[0],
        stood_still_s=stood_still_s,
    )


def _counters(server: Gateway, tallies: dict[str, Tally]) -> dict[str, list[float]]:
    """Return for each counter the fewest and the most that are right, and what the gateway says once it is at rest."""
    bounds = _bounds(tallies)
    with suppress(ServerFailed):  # then the figures tell it
        wait_until(lambda: all(low <= _counted(server, name) <= high for name, (low, high) in bounds.items()), "", 5.0)
    return {name: [low, high, _counted(server, name)] for name, (low, high) in bounds.items()}


def _bounds(tallies: dict[str, Tally]) -> dict[str, tuple[int, int]]:
    """By ``model outcome``; an empty outcome is all. Who leaves before the answer cannot know whether it was made."""
    wrong, half = tallies["wrong bodies"].answers, tallies["half-closed"]
    exact = {f"{name} ok": tallies[name].answers[200] for name in ("good", "slow", "pipelined")}
    exact |= {f"{name} ": tallies[name].answers[200] for name in ("good", "slow", "pipelined")}
    exact |= {"wrong client_error": wrong.total() - wrong[NO_ANSWER], "wrong ": wrong.total() - wrong[NO_ANSWER]}
    between = {
        _IN_FLIGHT: (0, 1),
        "cancelled ": (0, tallies["cancelled"].sent),
        "half ok": (half.answers[200], half.sent),
    }
    return {name: (value, value) for name, value in exact.items()} | between


def _counted(server: Gateway, name: str) -> float:
    if name == _IN_FLIGHT:
        return server.total("weir_inflight_requests")
    model, outcome = name.split(" ")
    labels = {"model": model} | ({"outcome": outcome} if outcome else {})
    return server.total("weir_requests_total", **labels)
