"""What is a second worker on a second core worth?

Closed loop on the MLP, 256 requests in flight, a gateway of one worker and one of two side by side: stretches
alternate, there and back, since the host's own speed moves by more within half a minute than what is looked for. The
load generator shares the machine with both, so it sleeps until an answer comes instead of polling, and requests go out
four at a time down 64 connections (HTTP pipelining): one at a time it takes a fifth of a core, which two workers lack
and one does not. The kernel gives each connection to either worker by chance; so many are in flight that the worker
with fewer does not run out of them.
"""

from __future__ import annotations

import os
from functools import partial
from itertools import chain
from statistics import mean

from benchmarks.serving.load import closed_loop
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.gateway import gateway, wait_until
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Workers
from benchmarks.serving.trials.stretch import Stretch, stretch
from benchmarks.serving.wire import PLAIN

__all__ = ["workers"]

_CONNECTIONS, _PIPELINED, _TURNS = 64, 4, 8
_WAIT_S = 0.1


def workers(plan: Plan) -> Workers:
    """Measure one worker on one core and two on two; the generator may use all of them."""
    file = write_models(plan.folder / "models", ["mlp"])["mlp"]
    requests = [PLAIN.request("/predict/mlp", x_nd) for x_nd in rows(_CONNECTIONS * _PIPELINED)[:, None]]
    allowed, started = os.sched_getaffinity(0), partial(gateway, file.parents[2], requests[0])
    with started(cores=plan.cores[:1]) as one, started(cores=plan.cores[:2], flags=("--workers", "2")) as two:
        wait_until(lambda: two.total("weir_workers", role="worker") >= 2, "2 workers", 30.0)
        os.sched_setaffinity(0, plan.cores)
        try:
            load = partial(
                closed_loop, requests=requests, connections=_CONNECTIONS, wait_s=_WAIT_S, pipelined=_PIPELINED
            )
            for server in (one, two):
                load(server.port, seconds=plan.seconds(3))
            turns = [
                [stretch(s.root, partial(load, s.port, seconds=plan.seconds(2))) for s in (one, two, two, one)]
                for _ in range(max(round(_TURNS * plan.scale), 1))
            ]
        finally:
            os.sched_setaffinity(0, allowed)
    of_one = [(turn[0], turn[3]) for turn in turns]
    of_two = [(turn[1], turn[2]) for turn in turns]
    found = [*chain(*of_one)], [*chain(*of_two)]
    return Workers(
        part="workers",
        round=plan.round,
        foreign=mean(turned.foreign for turned in chain(*turns)),
        rates=[list(map(_rate, of_one)), list(map(_rate, of_two))],
        p50_ms=[_latency_ms(turned, 50) for turned in found],
        p99_ms=[_latency_ms(turned, 99) for turned in found],
        server_cores=[mean(one.server_cores for one in turned) for turned in found],
        generator_cores=[mean(one.generator_cores for one in turned) for turned in found],
        failures=sum(one.load.offered - one.load.good for one in chain(*found)),
    )


def _rate(turned: tuple[Stretch, ...]) -> float:
    return sum(one.load.good for one in turned) / sum(one.load.seconds for one in turned)


def _latency_ms(turned: list[Stretch], percent: float) -> float:
    (found,) = percentiles_ms([second for one in turned for second in one.load.latencies_s], percent)
    return found
