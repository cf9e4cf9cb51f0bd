"""The floor beneath every server: ONNX Runtime alone, one thread, by batch size.

Every run has other rows, as a server's have: a processor learns the way of the same 32 rows through 200 trees by heart,
and then takes half as long for them (2.2 times the rows a second on an AMD EPYC).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.apps.inference import Model
from benchmarks.serving.machine import cpu_times, foreign_share
from benchmarks.serving.result import Result

__all__ = ["BATCHES", "FLOOR", "Rows", "Run", "load_model", "measure_floor", "rows_per_s"]

FLOOR = "onnxruntime alone"
BATCHES = (1, 8, 32, 64, 128)

Rows = NDArray[np.float32]
Run = Callable[[Rows], NDArray[np.float64]]


def load_model(file: Path) -> Run:
    """Return the model as a function of rows."""
    model = Model(str(file))
    return lambda x_nd: model.run(x_nd).astype(np.float64)


def measure_floor(model: str, run: Run, x_nd: Rows, *, core: int, seconds: float, round_: int) -> list[Result]:
    """Run batch after batch on the server's core; one result a batch size."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return [_cell(model, run, x_nd, batch, seconds, round_) for batch in BATCHES]
    finally:
        os.sched_setaffinity(0, allowed)


def rows_per_s(run: Run, x_nd: Rows, batch: int, *, core: int, seconds: float) -> float:
    """Run batch after batch of some rows on a core; return the rows a second."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        took_s = list(_timed(run, x_nd, batch, seconds))
    finally:
        os.sched_setaffinity(0, allowed)
    return len(took_s) * batch / sum(took_s)


def _cell(model: str, run: Run, x_nd: Rows, batch: int, seconds: float, round_: int) -> Result:
    run(x_nd[:batch])
    before = cpu_times(-1)
    took_s = list(_timed(run, x_nd, batch, seconds))
    after = cpu_times(-1)
    p50, p95, p99 = np.percentile(took_s, [50, 95, 99]) * 1000
    rate = len(took_s) * batch / sum(took_s)
    return Result(
        model=model,
        server=FLOOR,
        round=round_,
        kind="batch",
        level=batch,
        rows=batch,
        goodput=rate,
        offered=rate,
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        cpu_us=sum(took_s) / len(took_s) * 1e6,
        memory_mb=float("nan"),
        foreign=foreign_share(before, after),
        idle=0.0,
        start_s=float("nan"),
    )


def _timed(run: Run, x_nd: Rows, batch: int, seconds: float) -> Iterator[float]:
    stop_s = time.perf_counter() + seconds
    for at in cycle(range(0, len(x_nd) - batch + 1, batch)):
        begun_s = time.perf_counter()
        if begun_s >= stop_s:
            return
        run(x_nd[at : at + batch])
        yield time.perf_counter() - begun_s
