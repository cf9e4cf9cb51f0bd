"""What is a second worker on a second core worth?

Closed loop on the MLP, 128 connections. The load generator shares the machine with both workers, so it sleeps until an
answer comes instead of polling: it then takes a few hundredths of a core, as much for one worker as for two.
"""

from __future__ import annotations

import os
from functools import partial

from benchmarks.serving.load import closed_loop
from benchmarks.serving.models import rows, write_models
from benchmarks.serving.tally import percentiles_ms
from benchmarks.serving.trials.gateway import gateway, wait_until
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Workers
from benchmarks.serving.trials.stretch import stretch
from benchmarks.serving.wire import PLAIN

__all__ = ["workers"]

_CONNECTIONS = 128
_WAIT_S = 0.1


def workers(plan: Plan, count: int) -> Workers:
    """Measure so many workers on as many cores; the generator may use all of them."""
    file = write_models(plan.folder / "models", ["mlp"])["mlp"]
    requests = [PLAIN.request("/predict/mlp", x_nd) for x_nd in rows(_CONNECTIONS)[:, None]]
    used, allowed = plan.cores[:count], os.sched_getaffinity(0)
    load = partial(closed_loop, wait_s=_WAIT_S)
    with gateway(file.parents[2], requests[0], cores=used, flags=("--workers", str(count))) as server:
        wait_until(lambda: server.total("weir_workers", role="worker") >= count, f"{count} workers", 30.0)
        os.sched_setaffinity(0, plan.cores)
        try:
            load(server.port, requests, _CONNECTIONS, plan.seconds(3))
            found = stretch(server.root, partial(load, server.port, requests, _CONNECTIONS, plan.seconds(10)))
        finally:
            os.sched_setaffinity(0, allowed)
    p50, p99 = percentiles_ms(found.load.latencies_s, 50, 99)
    return Workers(
        part=str(count),
        round=plan.round,
        foreign=found.foreign,
        workers=count,
        rate=found.load.good / found.load.seconds,
        p50_ms=p50,
        p99_ms=p99,
        server_cores=found.server_cores,
        generator_cores=found.generator_cores,
        failures=found.load.offered - found.load.good,
    )
