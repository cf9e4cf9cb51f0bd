"""What is left of the service at twice its capacity, in bursts, and how soon is it whole again?

The gateway is measured in closed loop (its capacity), in open loop at 0.8 and 2 times that, and second by second after
it; the small model also at 1.5 times. A last stretch at the highest multiple is mostly refusals: what it took beyond
its answers is the cost of a refusal.
``quota`` measures that cost apart: a client far over its quota gets nothing but 429, written by the same lines.

Requests of the small model go out eight at a time down a connection (HTTP pipelining), for its capacity too: one at a
time costs a generator in Python more than the gateway, and twice the capacity could not be offered.

There are 2,048 connections from the start, enough for all requests to wait in the gateway; should all be busy a request
waits for one, and its latency counts from when it was due. One part opens another connection instead where 512 are
busy, up to 8,192: each costs the gateway what several answers do, so that part says what connections cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.serving.arrivals import bursts
from benchmarks.serving.load import closed_loop, open_loop
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.gateway import Gateway, gateway
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Overload, Refusal
from benchmarks.serving.trials.stretch import Stretch, stretch
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
_SECONDS = 4
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


def _measured(plan: Plan, part: str, server: Gateway, requests: list[bytes]) -> Overload:
    """Load the server in the order of the record's fields; the seconds after follow the burst without a pause."""
    model, multiple, (least, most) = PARTS[part]
    pipelined = _PIPELINED[model]
    closed_loop(server.port, requests, _IN_FLIGHT // pipelined, plan.seconds(2), pipelined=pipelined)
    before = list(_closed_seconds(plan, server, requests, pipelined))
    capacity = median(_rate(second) for second in before)
    opened = partial(_open, plan, server, requests, pipelined=pipelined, opened=least, most=most)
    calm = opened(capacity * _CALM)
    before_mb = server.memory_mb()
    full = opened(capacity * multiple)
    after = list(_closed_seconds(plan, server, requests, pipelined))
    after_mb = server.memory_mb()
    answer_us = sum(second.server_s for second in before) / sum(second.load.good for second in before) * 1e6
    highest = opened(capacity * _HIGHEST)
    return Overload(
        part=part,
        round=plan.round,
        foreign=max(found.foreign for found in (*before, calm, full, *after)),
        deadline_ms=plan.deadline_ms,
        capacity=capacity,
        calm_good=_rate(calm),
        calm_p99_ms=_p99_ms(calm),
        full_offered=full.load.offered / full.load.seconds,
        full_good=_rate(full),
        full_p99_ms=_p99_ms(full),
        problems=dict(full.load.problems),
        no_answer=full.load.statuses[0],
        unhinted=full.load.unhinted,
        held=full.load.held,
        slipped_s=full.load.slipped_s,
        before_mb=before_mb,
        after_mb=after_mb,
        after=[_rate(second) for second in after],
        after_refused=[second.load.statuses[503] for second in after],
        answer_us=answer_us,
        refusal_us=_refusal_us(highest, answer_us),
    )


def _closed_seconds(plan: Plan, server: Gateway, requests: list[bytes], pipelined: int) -> Iterator[Stretch]:
    load = partial(closed_loop, server.port, requests, _IN_FLIGHT // pipelined, plan.seconds(1), pipelined=pipelined)
    for _ in range(_SECONDS):
        yield stretch(server.root, load)


def _open(
    plan: Plan, server: Gateway, requests: list[bytes], rate: float, *, pipelined: int, opened: int, most: int
) -> Stretch:
    arrivals_s = bursts(rate / pipelined, plan.seconds(10), variation=_VARIATION, seed=plan.round)
    load = partial(open_loop, server.port, requests, arrivals_s, plan.deadline_ms / 1000, pipelined=pipelined)
    return stretch(server.root, partial(load, opened=opened, most=most))


def _rate(found: Stretch) -> float:
    return found.load.good / found.load.seconds


def _p99_ms(found: Stretch) -> float:
    return percentiles_ms(found.load.latencies_s, 99)[0]


def _refusal_us(found: Stretch, answer_us: float) -> float:
    """Return the CPU of a refusal: what the stretch took beyond its answers; NaN where hardly anything was refused."""
    answers, refusals = found.load.statuses[200], found.load.statuses[503]
    if refusals < answers / 10:
        return float("nan")
    return (found.server_s * 1e6 - answers * answer_us) / refusals


def quota(plan: Plan) -> Refusal:
    """Let one client ask far above its quota, and nobody else: every answer but the first is a refusal."""
    path, requests = _requests(plan, "small")
    pipelined = _PIPELINED["small"]
    load = partial(closed_loop, requests=requests, connections=_IN_FLIGHT // pipelined, pipelined=pipelined)
    with gateway(path, requests[0], cores=(plan.core,)) as server:
        load(server.port, seconds=plan.seconds(2))
        free = stretch(server.root, partial(load, server.port, seconds=plan.seconds(4)))
    with gateway(path, requests[0], cores=(plan.core,), variables=_QUOTA) as server:
        load(server.port, seconds=plan.seconds(2))
        over = stretch(server.root, partial(load, server.port, seconds=plan.seconds(4)))
    refused = over.load.statuses[429]
    return Refusal(
        part="quota",
        round=plan.round,
        foreign=max(free.foreign, over.foreign),
        refusal_us=over.server_s / refused * 1e6 if refused else float("nan"),
        answer_us=free.server_s / free.load.good * 1e6,
        refused=refused,
        answered=over.load.statuses[200],
    )
