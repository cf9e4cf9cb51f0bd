"""Interleaved rounds: each server in turn is started, warmed, loaded at every level, checked and stopped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.arrivals import bursts
from benchmarks.serving.load import closed_loop, open_loop
from benchmarks.serving.machine import cpu_times, foreign_share, proportional_mb, server_pids
from benchmarks.serving.process import Running, ServerFailed, free_port, running
from benchmarks.serving.result import Failure, Kind, Result
from benchmarks.serving.servers import Server
from benchmarks.serving.tally import Load, percentiles_ms

__all__ = ["Case", "Plan", "WrongAnswer", "measure"]

_BODIES = 64
_TOLERANCE = 2e-3
_RECOVERY_S = 1.0
_SETTLE_S = 5.0
"""Left to every server after its first answer: some start further processes only then, on the same core."""


class WrongAnswer(Exception):
    """A server's numbers are not those of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured and when a stretch is disturbed enough to be repeated."""

    seconds: float
    warm_s: float
    connections: tuple[int, ...]
    multiples: tuple[float, ...]
    deadline_ms: int
    variation: float
    foreign_limit: float
    repeats: int
    core: int


@dataclass(frozen=True, slots=True)
class Case:
    """One server with one model in one round; ``run`` is the model itself, against which answers are checked."""

    server: Server
    model: str
    file: Path
    round: int
    run: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    x_nd: NDArray[np.float32]

    def batches(self) -> list[NDArray[np.float32]]:
        """Return the rows of each request that is sent."""
        return np.split(self.x_nd[: _BODIES * self.server.rows], _BODIES)

    def requests(self, deadline_ms: int | None = None) -> list[bytes]:
        """Return the requests, ready to be sent."""
        path = self.server.path.format(model=self.model)
        return [self.server.wire.request(path, batch, deadline_ms) for batch in self.batches()]

    def command(self, environments: Path, port: int, scratch: str) -> list[str]:
        """Return the server's command line."""
        places = {"file": str(self.file), "folder": str(self.file.parents[2]), "scratch": scratch}
        return self.server.command(environments, port=str(port), model=self.model, **places)


@dataclass(frozen=True, slots=True)
class _Target:
    """One started server with its prepared requests and the numbers that they must bring."""

    case: Case
    port: int
    process: Running
    requests: list[bytes]
    expected: list[NDArray[np.float64]]


def measure(plan: Plan, case: Case, environments: Path) -> Iterator[Result | Failure]:
    """Start the server, give its cells, stop it; a server that fails is one failure."""
    port, requests = free_port(), case.requests()
    with tempfile.TemporaryDirectory(prefix="weir-benchmark-") as scratch:
        started = running(
            case.command(environments, port, scratch),
            cores=(plan.core,),
            port=port,
            request=requests[0],
            variables=case.server.variables,
            scratch=Path(scratch),
        )
        try:
            with started as process:
                expected = [case.run(batch) for batch in case.batches()]
                yield from _cells(plan, _Target(case, port, process, requests, expected))
        except (ServerFailed, WrongAnswer, OSError) as failure:
            yield Failure(case.model, case.server.name, f"{type(failure).__name__}: {failure}", case.round)


def _cells(plan: Plan, target: _Target) -> Iterator[Result]:
    """Closed loop at each level, then open loop at multiples of the last level's rate, then closed again."""
    time.sleep(_SETTLE_S)
    closed_loop(target.port, target.requests, 16, plan.warm_s)
    capacity = 0.0
    for connections in plan.connections:
        cell = _closed(plan, target, "closed", connections)
        capacity = cell.goodput
        yield cell
    if target.case.server.answers_constant or target.case.server.rows > 1:
        return
    for multiple in plan.multiples:
        yield _steady(plan, target, "open", multiple, partial(_open, plan, target, multiple * capacity))
    if plan.multiples:
        time.sleep(_RECOVERY_S)
        yield _closed(replace(plan, seconds=1.0), target, "after", plan.connections[-1])


def _closed(plan: Plan, target: _Target, kind: Kind, connections: int) -> Result:
    load = partial(closed_loop, target.port, target.requests, connections, plan.seconds)
    return _steady(plan, target, kind, connections, load)


def _open(plan: Plan, target: _Target, rate: float) -> Load:
    """Offer bursty arrivals, each with the plan's deadline."""
    arrivals_s = bursts(rate, plan.seconds, variation=plan.variation, seed=target.case.round)
    requests = target.case.requests(plan.deadline_ms)
    return open_loop(target.port, requests, arrivals_s, plan.deadline_ms / 1000)


def _steady(plan: Plan, target: _Target, kind: Kind, level: float, load: Callable[[], Load]) -> Result:
    """Repeat a stretch that others disturbed; give the least disturbed one."""
    best = _measured(target, kind, level, load)
    repeats = 0
    while best.foreign > plan.foreign_limit and repeats < plan.repeats:
        repeats += 1
        best = min(best, _measured(target, kind, level, load), key=lambda result: result.foreign)
    return replace(best, repeats=repeats)


def _measured(target: _Target, kind: Kind, level: float, run: Callable[[], Load]) -> Result:
    before = cpu_times(target.process.root)
    load = run()
    after = cpu_times(target.process.root)
    memory_mb = proportional_mb(server_pids(target.process.root))
    _check(target, load)
    p50, p95, p99 = percentiles_ms(load.latencies_s, 50, 95, 99)
    return Result(
        model=target.case.model,
        server=target.case.server.name,
        round=target.case.round,
        kind=kind,
        level=level,
        rows=target.case.server.rows,
        goodput=load.good / load.seconds,
        offered=load.offered / load.seconds,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        cpu_us=(after.servers_s - before.servers_s) / max(load.offered, 1) * 1e6,
        memory_mb=memory_mb,
        foreign=foreign_share(before, after),
        idle=load.idle,
        held=load.held,
        start_s=target.process.start_s,
        statuses=dict(load.statuses),
    )


def _check(target: _Target, load: Load) -> None:
    """Compare the newest answer of each connection with the model's own numbers."""
    if target.case.server.answers_constant:
        return
    for row, (_, body) in load.samples:
        try:
            found = target.case.server.wire.decode(body)
        except (LookupError, TypeError, ValueError) as error:
            raise WrongAnswer(f"unreadable: {body[:200]!r}") from error
        if found.shape != target.expected[row].shape or not np.allclose(found, target.expected[row], atol=_TOLERANCE):
            raise WrongAnswer(f"row {row}: {found[0]} instead of {target.expected[row][0]}")
