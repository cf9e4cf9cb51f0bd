"""What does it cost the answers that their rows are watched?

Run: ``.venv/bin/python -m benchmarks.serving.watching`` (five minutes; ``--starts`` and ``--turns`` choose).

Claim: on the small model at 64 connections, all processes on one core, a gateway that watches 2,000 rows a second
answers at least 0.95 times the requests of one that watches a row a second.

Two processes of the same server differ by up to a tenth for as long as they live, by where their memory happens to lie,
and so do two models of one process; a virtual machine's speed moves by more from one ten seconds to the next. So a
worker is switched to a row a second and back by a signal, every second or two while it is under load, there and back.
Sampling goes by seconds of the wall clock, and stretches with it; what the watch still does for the one before is left
out at the beginning of each.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev

import numpy as np

from benchmarks.serving.load import closed_loop
from benchmarks.serving.machine import cores, cpu_times
from benchmarks.serving.markdown import table
from benchmarks.serving.models import rows, watched, write_models
from benchmarks.serving.trials.gateway import Gateway, gateway
from benchmarks.serving.wire import PLAIN

__all__: list[str] = []

_WORK = Path(__file__).parents[2] / ".weir/benchmarks"
_SWITCH = Path(__file__).parent / "switch"
_MODEL = "small"
_BODIES = 64
_SETTLE_S = 5.0
_STRETCH_S = 1
_LEFT_OUT_S = 0.25
_SWITCH_S = 0.15
"""At the end of a stretch, for the signal and the look at the clocks."""
_LATE_S = 0.1


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Requests a second, and microseconds of CPU for each in all processes of the gateway."""

    rate: float
    cpu_us: float


def main() -> None:
    """Start the gateway so often, measure it in turn with and without, and print the table."""
    options = _options()
    file = watched(write_models(_WORK / "models", [_MODEL])[_MODEL])
    requests = [PLAIN.request(f"/predict/{_MODEL}", row_1d[np.newaxis], None) for row_1d in rows(_BODIES)]
    server_core, generator_core = cores()
    os.sched_setaffinity(0, {generator_core})
    turns: list[tuple[_Stretch, _Stretch]] = []
    sampled = 0.0
    variables = {"PYTHONPATH": str(_SWITCH)}
    for _ in range(options.starts):
        with gateway(file.parents[2], requests[0], cores=(server_core,), variables=variables) as running:
            time.sleep(_SETTLE_S)
            turns += _turns(running, requests, options)
            sampled += running.total("weir_monitor_observations_total", result="sampled")
    print(_table(turns))
    watched_s = 2 * _STRETCH_S * options.starts * (options.turns + 1)
    print(f"\nIn each of the {watched_s} seconds watched {sampled / watched_s:,.0f} rows were sampled.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving.watching", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--turns", type=int, default=15, help="each has two stretches of either, there and back")
    parser.add_argument("--connections", type=int, default=64)
    return parser.parse_args()


def _turns(running: Gateway, requests: list[bytes], options: argparse.Namespace) -> list[tuple[_Stretch, _Stretch]]:
    """Measure one process; the first turn warms up."""
    (worker,) = running.processes("gateway.app")
    turns = []
    for _ in range(options.turns + 1):
        there = _measured(running, requests, options.connections)
        os.kill(worker, signal.SIGUSR2)
        aside = [_measured(running, requests, options.connections) for _ in range(2)]
        os.kill(worker, signal.SIGUSR2)
        turns.append((_mean(there, _measured(running, requests, options.connections)), _mean(*aside)))
    return turns[1:]


def _measured(running: Gateway, requests: list[bytes], connections: int) -> _Stretch:
    """Load the worker for a stretch of the wall clock that begins with a whole second."""
    begin_s = math.ceil(time.time() - _LATE_S)
    end_s = begin_s + _STRETCH_S
    time.sleep(max(0.0, begin_s - time.time()))
    closed_loop(running.port, requests, connections, _LEFT_OUT_S)
    before = cpu_times(running.root)
    load = closed_loop(running.port, requests, connections, end_s - _SWITCH_S - time.time())
    cpu_s = cpu_times(running.root).servers_s - before.servers_s
    return _Stretch(load.good / load.seconds, cpu_s / load.good * 1e6)


def _mean(*stretches: _Stretch) -> _Stretch:
    return _Stretch(fmean(one.rate for one in stretches), fmean(one.cpu_us for one in stretches))


def _table(turns: list[tuple[_Stretch, _Stretch]]) -> str:
    """Return the rates of both and the ratios of each turn: requests a second, and requests for a second of CPU."""
    lines = []
    for name, at in (("2,000 rows a second", 0), ("one row a second", 1)):
        rate, cpu_us = (median(getattr(turn[at], field) for turn in turns) for field in ("rate", "cpu_us"))
        lines.append([name, f"{rate:,.0f}", f"{cpu_us:.2f}", "", ""])
    lines[0][3:] = [
        _ratio([whole.rate / aside.rate for whole, aside in turns]),
        _ratio([aside.cpu_us / whole.cpu_us for whole, aside in turns]),
    ]
    return table(["watched", "requests/s", "us of CPU a request", "ratio of requests/s", "for a second of CPU"], lines)


def _ratio(ratios: list[float]) -> str:
    """Return the median of the turns' ratios, and their geometric mean with its 95 % interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean, off = fmean(logs), 1.96 * stdev(logs) / math.sqrt(len(logs))
    low, middle, high = (math.exp(log) for log in (mean - off, mean, mean + off))
    return f"{median(ratios):.3f}; mean {middle:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
