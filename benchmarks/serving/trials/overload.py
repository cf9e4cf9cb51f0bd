"""What is left of the service at twice its capacity, in bursts, and how soon is it whole again?

The gateway is measured in open loop at 0.8 times its capacity, then in turns: some seconds of closed loop, a burst at
twice what they gave, second by second of closed loop again, which are the next burst's. What a burst left is held
against the capacity before and after it, since the host's own speed moves meanwhile. The small model also at 1.5 times.
A last stretch at the highest multiple is mostly refusals: what it took beyond its answers is the cost of a refusal.
``quota`` measures that cost apart, by two gateways in turns: a client of one is far over its quota and gets nothing but
429, written by the same lines, down as many connections as the bursts come by.

Requests of the small model go out eight at a time down a connection (HTTP pipelining), for its capacity too: one at a
time costs a generator in Python more than the gateway, and twice the capacity could not be offered.

There are 2,048 connections from the start, enough for all requests to wait in the gateway; should all be busy a request
waits for one, and its latency counts from when it was due. One part opens another connection instead where 512 are
busy, up to 8,192: each costs the gateway what several answers do, so that part says what connections cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from benchmarks.serving.arrivals import bursts
from benchmarks.serving.load import closed_loop, open_loop, rotating_loop
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.gateway import Gateway, gateway
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Overload, Refusal
from benchmarks.serving.trials.stretch import Stretch, stretch, stretch_within
from benchmarks.serving.wire import PLAIN

__all__ = ["PARTS", "overload", "quota"]

_POOL, _NEW = (2_048, 2_048), (512, 8_192)
PARTS = {
    "small": ("small", 2.0, _POOL),
    "mlp": ("mlp", 2.0, _POOL),
    "small at 1.5x": ("small", 1.5, _POOL),
    "small, new connections": ("small", 2.0, _NEW),
}
"""By part: the model, how many times its capacity is offered, and the connections: from the start, and at most."""

_IN_FLIGHT = 64
_PIPELINED = {"small": 8, "mlp": 1}
_VARIATION = 2.0
_CALM, _HIGHEST = 0.8, 4.0
_SECONDS, _BURSTS, _TURNS = 3, 5, 8
_QUOTA = {"WEIR_ADMISSION__QUOTA_REQUESTS_PER_S": "1", "WEIR_ADMISSION__QUOTA_BURST": "64"}


def overload(plan: Plan, part: str) -> Overload:
    """Measure one model at one multiple of its capacity."""
    path, requests = _requests(plan, PARTS[part][0])
    with gateway(path, requests[0], cores=(plan.core,)) as server:
        return _measured(plan, part, server, requests)


def _requests(plan: Plan, model: str) -> tuple[Path, list[bytes]]:
    file = write_models(plan.folder / "models", [model])[model]
    batches = rows(_IN_FLIGHT)[:, None]
    return file.parents[2], [PLAIN.request(f"/predict/{model}", x_nd, plan.deadline_ms) for x_nd in batches]


class _Burst(NamedTuple):
    """A stretch above the capacity, and the seconds of closed loop before and after it."""

    before: list[Stretch]
    full: Stretch
    after: list[Stretch]

    @property
    def capacity(self) -> float:
        return (_capacity(self.before) + _capacity(self.after)) / 2


def _measured(plan: Plan, part: str, server: Gateway, requests: list[bytes]) -> Overload:
    """Load the server; the seconds after a burst follow it without a pause."""
    model, multiple, (least, most) = PARTS[part]
    pipelined = _PIPELINED[model]
    opened = partial(_open, plan, server, requests, pipelined=pipelined, opened=least, most=most)
    closed_loop(server.port, requests, _IN_FLIGHT // pipelined, plan.seconds(2), pipelined=pipelined)
    seconds = list(_closed_seconds(plan, server, requests, pipelined))
    calm = opened(_capacity(seconds) * _CALM)
    before_mb, bursts = server.memory_mb(), list[_Burst]()
    seconds = list(_closed_seconds(plan, server, requests, pipelined))
    for _ in range(_BURSTS):
        full = opened(_capacity(seconds) * multiple, seed=len(bursts))
        before, seconds = seconds, list(_closed_seconds(plan, server, requests, pipelined))
        bursts.append(_Burst(before, full, seconds))
    after_mb = server.memory_mb()
    answer_us = sum(second.server_s for second in seconds) / sum(second.load.good for second in seconds) * 1e6
    highest = opened(_capacity(seconds) * _HIGHEST)
    loads = [burst.full.load for burst in bursts]
    return Overload(
        part=part,
        round=plan.round,
        foreign=mean(
            found.foreign for found in (calm, *(one for burst in bursts for one in (burst.full, *burst.after)))
        ),
        deadline_ms=plan.deadline_ms,
        calm_good=_rate(calm),
        calm_p99_ms=_p99_ms([calm]),
        capacity=[burst.capacity for burst in bursts],
        offered=[load.offered / load.seconds for load in loads],
        good=[_rate(burst.full) for burst in bursts],
        full_p99_ms=_p99_ms([burst.full for burst in bursts]),
        problems=dict(sum((Counter(load.problems) for load in loads), Counter())),
        no_answer=sum(load.statuses[0] for load in loads),
        unhinted=sum(load.unhinted for load in loads),
        held=max(load.held for load in loads),
        slipped_s=sum(load.slipped_s for load in loads),
        before_mb=before_mb,
        after_mb=after_mb,
        after=[median(_rate(b.after[i]) / _capacity(b.before) for b in bursts) for i in range(_SECONDS)],
        after_refused=[sum(b.after[i].load.statuses[503] for b in bursts) for i in range(_SECONDS)],
        answer_us=answer_us,
        refusal_us=_refusal_us(highest, answer_us),
    )


def _capacity(seconds: list[Stretch]) -> float:
    return median(_rate(second) for second in seconds)


def _closed_seconds(plan: Plan, server: Gateway, requests: list[bytes], pipelined: int) -> Iterator[Stretch]:
    load = partial(closed_loop, server.port, requests, _IN_FLIGHT // pipelined, plan.seconds(1), pipelined=pipelined)
    for _ in range(_SECONDS):
        yield stretch(server.root, load)


def _open(
    plan: Plan,
    server: Gateway,
    requests: list[bytes],
    rate: float,
    *,
    pipelined: int,
    opened: int,
    most: int,
    seed: int = 0,
) -> Stretch:
    arrivals_s = bursts(rate / pipelined, plan.seconds(5), variation=_VARIATION, seed=plan.round + 100 * seed)
    load = partial(open_loop, server.port, requests, arrivals_s, plan.deadline_ms / 1000, pipelined=pipelined)
    return stretch(server.root, partial(load, opened=opened, most=most))


def _rate(found: Stretch) -> float:
    return found.load.good / found.load.seconds


def _p99_ms(found: list[Stretch]) -> float:
    return percentiles_ms([latency_s for one in found for latency_s in one.load.latencies_s], 99)[0]


def _refusal_us(found: Stretch, answer_us: float) -> float:
    """Return the CPU of a refusal: what the stretch took beyond its answers; NaN where hardly anything was refused."""
    answers, refusals = found.load.statuses[200], found.load.statuses[503]
    if refusals < answers / 10:
        return float("nan")
    return (found.server_s * 1e6 - answers * answer_us) / refusals


def quota(plan: Plan) -> Refusal:
    """Let one client ask far above its quota, and nobody else: every answer but the first is a refusal.

    Refusals go round as many connections as the bursts have, answers round those of the capacity.
    """
    path, requests = _requests(plan, "small")
    pipelined, started = _PIPELINED["small"], partial(gateway, path, requests[0], cores=(plan.core,))
    busy = _IN_FLIGHT // pipelined

    def turned(server: Gateway, opened: int) -> Stretch:
        load = partial(rotating_loop, server.port, requests, busy, plan.seconds(0.5), opened=opened)
        return stretch_within(server.root, lambda around: load(around=around, pipelined=pipelined))

    with started() as free, started(variables=_QUOTA) as over:
        for server in (free, over):
            closed_loop(server.port, requests, busy, plan.seconds(2), pipelined=pipelined)
        turns = [
            [turned(*each) for each in ((free, busy), (over, _POOL[0]), (over, _POOL[0]), (free, busy))]
            for _ in range(max(round(_TURNS * plan.scale), 1))
        ]
    of_free, of_over = [(turn[0], turn[3]) for turn in turns], [(turn[1], turn[2]) for turn in turns]
    return Refusal(
        part="quota",
        round=plan.round,
        foreign=mean(one.foreign for turn in turns for one in turn),
        refusal_us=[_us(turned, 429) for turned in of_over],
        answer_us=[_us(turned, 200) for turned in of_free],
        refused=sum(one.load.statuses[429] for turned in of_over for one in turned),
        answered=sum(one.load.statuses[200] for turned in of_over for one in turned),
    )


def _us(turned: tuple[Stretch, ...], status: int) -> float:
    """Return the CPU of each answer with a status, where all have it; NaN where none has."""
    answers = sum(one.load.statuses[status] for one in turned)
    return sum(one.server_s for one in turned) / answers * 1e6 if answers else float("nan")
