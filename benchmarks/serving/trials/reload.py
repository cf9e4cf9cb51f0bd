"""What do clients notice while a model of 100 MB is replaced by its next version, again and again?

Arrivals at half the capacity, and reloads with pauses between: what clients notice is told against those pauses, since
the machine is not the same from one minute to the next. An operator in a process of its own (``reloader.py``) puts a
new version's folder beside the others, has it loaded and makes it stable; the gateway lets the version before the last
go. Memory is compared between the moment when two versions are in it for the first time (the stable one, and the one
before it for a rollback) and the end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.serving.arrivals import bursts
from benchmarks.serving.connection import Connection
from benchmarks.serving.load import closed_loop, open_loop
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.process import ServerFailed
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.aside import aside
from benchmarks.serving.trials.gateway import Gateway, gateway
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Reload
from benchmarks.serving.trials.stretch import Stretch, stretch
from benchmarks.serving.wire import PLAIN

__all__ = ["Timeline", "reload"]

MODEL = "large"
_SHARE = 0.5
_RELOADS = 6
_CONNECTIONS = 64
_SETTLE_S = 1.0
_MEMORY_S = 10.0
_SLOWER = 12
"""How much longer a reload may take under load than without; the load goes on for that long."""
_KEEP = {"WEIR_SERVING__RESIDENT_VERSIONS": "1", "WEIR_SERVING__SCAN_S": "0"}


@dataclass(slots=True)
class Timeline:
    """When each request was due, and how long its answer took.

    Examples
    --------
    >>> seen = Timeline()
    >>> seen.due_s.extend([1.0, 2.0, 3.0]); seen.took_s.extend([0.1, 0.2, 0.3])
    >>> seen.within([(1.5, 2.5)]), seen.within([(0.0, 1.5), (2.5, 4.0)])
    ([0.2], [0.1, 0.3])
    """

    due_s: array[float] = field(default_factory=lambda: array("d"))
    took_s: array[float] = field(default_factory=lambda: array("d"))
    failures: int = 0

    def take(self, connection: Connection, took_s: float) -> None:
        """Note one answer."""
        if connection.answer[0] != 200:
            self.failures += 1
            return
        self.due_s.append(connection.sent_at_s)
        self.took_s.append(took_s)

    def within(self, windows: Sequence[tuple[float, float]]) -> list[float]:
        """Return how long those took that were due in one of the windows."""
        return [
            took_s
            for due_s, took_s in zip(self.due_s, self.took_s, strict=True)
            if any(began_s <= due_s < ended_s for began_s, ended_s in windows)
        ]


def reload(plan: Plan) -> Reload:
    """Replace the model's version some times under load."""
    staged = write_models(plan.folder / "models", [MODEL])[MODEL]
    models = plan.folder / "models/reloaded"
    shutil.rmtree(models, ignore_errors=True)
    first = models / MODEL / "1"
    first.mkdir(parents=True)
    first.joinpath("model.onnx").hardlink_to(staged)
    requests = [PLAIN.request(f"/predict/{MODEL}", x_nd) for x_nd in rows(_CONNECTIONS)[:, None]]
    with gateway(models, requests[0], cores=(plan.core,), variables=_KEEP) as server:
        return _measured(plan, server, requests, models / MODEL)


def _measured(plan: Plan, server: Gateway, requests: list[bytes], versions: Path) -> Reload:
    closed_loop(server.port, requests, _CONNECTIONS, plan.seconds(2))
    closed = closed_loop(server.port, requests, _CONNECTIONS, plan.seconds(4))
    (calm,) = _told(_operator(server, versions, first=2, count=1, pause_s=0.0))
    before_mb = server.memory_mb()
    pause_s, reloads = plan.seconds(4, 1.0), max(round(_RELOADS * plan.scale), 2)
    length_s = pause_s + reloads * (pause_s + _SLOWER * (calm["ended_s"] - calm["began_s"]) + _SETTLE_S)
    arrivals_s = bursts(closed.good / closed.seconds * _SHARE, length_s, variation=1.0, seed=plan.round)
    seen = Timeline()
    operator = _operator(server, versions, first=3, count=reloads, pause_s=pause_s)
    load = partial(open_loop, server.port, requests, arrivals_s, plan.deadline_ms / 1000, observe=seen.take)
    found = stretch(server.root, load)
    steps = _told(operator)
    return _record(plan, found, seen, steps, (before_mb, _settled_mb(server, before_mb)))


def _settled_mb(server: Gateway, aim_mb: float) -> float:
    """Return the memory once it is back near where it was, or what it is after some seconds."""
    until_s = time.perf_counter() + _MEMORY_S
    while (found_mb := server.memory_mb()) > 1.02 * aim_mb and time.perf_counter() < until_s:
        time.sleep(0.2)
    return found_mb


def _operator(server: Gateway, versions: Path, *, first: int, count: int, pause_s: float) -> subprocess.Popen[str]:
    return aside("reloader", server.port, server.root, versions, first, count, pause_s)


def _told(operator: subprocess.Popen[str]) -> list[dict[str, float]]:
    """Return what the operator did, step by step.

    Raises
    ------
    ServerFailed
        A reload failed.
    """
    told, _ = operator.communicate(timeout=180)
    if operator.returncode:
        raise ServerFailed("a reload failed")
    return [json.loads(line) for line in told.splitlines()]


def _record(
    plan: Plan, found: Stretch, seen: Timeline, steps: list[dict[str, float]], memory_mb: tuple[float, float]
) -> Reload:
    reloading = [(step["began_s"], step["ended_s"] + _SETTLE_S / 2) for step in steps]
    calm = list(zip([0.0, *(ended_s for _, ended_s in reloading)], (began_s for began_s, _ in reloading), strict=False))
    during = seen.within(reloading)
    p50, p99 = percentiles_ms(during, 50, 99)
    lost = found.load.statuses[0]
    return Reload(
        part="reload",
        round=plan.round,
        foreign=found.foreign,
        model_mb=steps[0]["model_mb"],
        reloads=len(steps),
        reload_s=median(step["ended_s"] - step["began_s"] for step in steps),
        offered=found.load.offered / found.load.seconds,
        before_p99_ms=percentiles_ms(seen.within(calm), 99)[0],
        during_p50_ms=p50,
        during_p99_ms=p99,
        during_answers=len(during),
        failures=seen.failures + lost,
        problems=dict(found.load.problems) | ({"no answer": lost} if lost else {}),
        before_mb=memory_mb[0],
        peak_mb=max(step["peak_mb"] for step in steps),
        after_mb=memory_mb[1],
        slipped_s=found.load.slipped_s,
    )
