"""What do stable's clients notice of a canary or a shadow in trouble?

Bursts at half the capacity, 95 : 5 between stable and canary, and a shadow of all of it. Each trouble is measured
between two stretches of the same load with everything well; their spread is the noise. Callers carry routing keys, so
that stable's are told apart from the canary's, whoever answers them.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial

from benchmarks.serving.arrivals import bursts
from benchmarks.serving.connection import Connection
from benchmarks.serving.load import closed_loop, open_loop
from benchmarks.serving.models import FEATURES
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.aside import aside
from benchmarks.serving.trials.broken import MARK, VERSIONS, marked_rows, write_versions
from benchmarks.serving.trials.gateway import Gateway, gateway, wait_until
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Isolation
from benchmarks.serving.trials.stretch import Stretch, stretch
from benchmarks.serving.wire import PLAIN
from gateway.routing.split import bucket

__all__ = ["PARTS", "isolation"]

_MODEL = "m"
_CALLERS = 400
_SHARE = 0.5
_CANARY_PERCENT = 5
_KILL_EVERY_S = 1.0
_KEEP = {"WEIR_SERVING__RESIDENT_VERSIONS": str(len(VERSIONS))}

PARTS = {
    "shadow hangs": ("healthy", "hangs"),
    "shadow raises": ("healthy", "raises"),
    "shadow 50x slower": ("healthy", "50x slower"),
    "shadow process killed every second": ("healthy", "healthy"),
    "canary raises": ("raises", "healthy"),
    "canary hangs": ("hangs", "healthy"),
    "canary not finite": ("not finite", "healthy"),
    "canary 50x slower": ("50x slower", "healthy"),
}
"""By trouble: the canary and the shadow."""


@dataclass(slots=True)
class _Callers:
    """Latencies of stable's and of the canary's callers, apart."""

    of_canary: frozenset[int]
    stable_s: array[float] = field(default_factory=lambda: array("d"))
    canary_s: array[float] = field(default_factory=lambda: array("d"))
    errors: int = 0

    def take(self, connection: Connection, took_s: float) -> None:
        self.errors += connection.answer[0] != 200
        (self.canary_s if connection.row in self.of_canary else self.stable_s).append(took_s)


_Heard = tuple[Stretch, _Callers]


def isolation(plan: Plan, part: str) -> Isolation:
    """Measure one trouble between two stretches without it."""
    models = write_versions(plan.folder / "models/troubled", _MODEL)
    x_nd = marked_rows(_CALLERS)
    requests = [PLAIN.request(f"/predict/{_MODEL}", x_nd[i : i + 1], key=f"caller-{i}") for i in range(_CALLERS)]
    with gateway(models, requests[0], cores=(plan.core,), flags=("--stable", f"{_MODEL}=1"), variables=_KEEP) as server:
        for version in VERSIONS.values():
            server.load(_MODEL, version)
        return _measured(plan, part, server, requests)


def _measured(plan: Plan, part: str, server: Gateway, requests: list[bytes]) -> Isolation:
    of_canary = _set(server, "healthy", "healthy")
    closed = [closed_loop(server.port, requests, 64, plan.seconds(2)) for _ in range(2)]
    rate = max(load.good / load.seconds for load in closed) * _SHARE
    measured = partial(_stretch, plan, server, requests, rate)
    measured(of_canary, seconds=plan.seconds(1))  # the first one is not like the others
    before = measured(of_canary)
    of_canary = _set(server, *PARTS[part])
    with _killing(server) if "killed" in part else nullcontext():
        during = measured(of_canary)
    of_canary = _set(server, "healthy", "healthy")
    wait_until(lambda: len(server.processes("gateway.shadow")) == 1, "shadow running again")
    return _record(plan, part, during, (before, measured(of_canary)))


def _record(plan: Plan, part: str, during: _Heard, around: Sequence[_Heard]) -> Isolation:
    (found, callers), lost = during, during[0].load.statuses[0]
    p50, p99 = percentiles_ms(callers.stable_s, 50, 99)
    return Isolation(
        part=part,
        round=plan.round,
        foreign=max(heard.foreign for heard, _ in (during, *around)),
        offered=found.load.offered / found.load.seconds,
        p50_ms=p50,
        p99_ms=p99,
        around_p99_ms=[percentiles_ms(calm.stable_s, 99)[0] for _, calm in around],
        canary_p99_ms=percentiles_ms(callers.canary_s, 99)[0],
        canary_answers=len(callers.canary_s),
        errors=callers.errors + lost,
        problems=dict(found.load.problems) | ({"no answer": lost} if lost else {}),
        slipped_s=found.load.slipped_s,
    )


def _set(server: Gateway, canary: str, shadow: str) -> frozenset[int]:
    """Set the route, wait until the worker answers under it, and return the canary's callers."""
    route = server.route(
        _MODEL,
        stable=VERSIONS["stable"],
        canary={"version": VERSIONS[canary], "weight": _CANARY_PERCENT},
        shadow=[{"version": VERSIONS[shadow]}],
    )
    row = [MARK, *[0.0] * (FEATURES - 1)]
    wait_until(lambda: server.revision(_MODEL, row) >= route["revision"], "on the new route")
    return _canary_rows(route["salt"])


def _canary_rows(salt: str) -> frozenset[int]:
    """Return the callers that are the canary's, whoever answers them; a canary of another version has other callers."""
    return frozenset(i for i in range(_CALLERS) if bucket(salt.encode(), f"caller-{i}") < _CANARY_PERCENT * 100)


def _stretch(
    plan: Plan,
    server: Gateway,
    requests: list[bytes],
    rate: float,
    of_canary: frozenset[int],
    seconds: float | None = None,
) -> _Heard:
    time.sleep(plan.seconds(2))  # the shadow works off what it was given before
    callers = _Callers(of_canary)
    arrivals_s = bursts(rate, seconds or plan.seconds(6), variation=2.0, seed=plan.round)
    load = partial(open_loop, server.port, requests, arrivals_s, 1.0, opened=len(requests), observe=callers.take)
    return stretch(server.root, load), callers


@contextmanager
def _killing(server: Gateway) -> Iterator[None]:
    """Kill the shadow process again and again."""
    killer = aside("killer", server.root, "gateway.shadow", _KILL_EVERY_S)
    try:
        yield
    finally:
        killer.terminate()
        killer.communicate()
