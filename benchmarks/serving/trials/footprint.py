"""What a tree of processes holds, again and again, and whether it grows."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving.machine import proportional_mb, server_pids
from benchmarks.serving.trials.gateway import Gateway

__all__ = ["footprint", "growth", "slope_and_mean"]

_PROC = Path("/proc")


def footprint(server: Gateway, task_counts: Path) -> dict[str, float]:
    """Return anonymous MB, open files, threads, and the tasks of the workers as they last told; ask for the next."""
    pids = server_pids(server.root)
    workers = server.processes("gateway.app")
    told = [task_counts / str(pid) for pid in workers]
    tasks = sum(int(file.read_text()) for file in told if file.exists())
    for pid in workers:
        os.kill(pid, signal.SIGUSR1)
    files = sum(_count(_PROC / str(pid) / "fd") for pid in pids)
    threads = sum(_count(_PROC / str(pid) / "task") for pid in pids)
    memory_mb = proportional_mb(pids, anonymous=True)
    return {"anonymous MB": memory_mb, "open files": files, "threads": threads, "asyncio tasks": tasks}


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


def growth(at_s: Sequence[float], samples: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return slope a minute and mean of each figure, by the samples after the first quarter."""
    first = len(samples) // 4
    return {
        figure: slope_and_mean(at_s[first:], [sample[figure] for sample in samples[first:]])
        for figure in (samples[0] if samples else {})
    }


def slope_and_mean(at_s: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return the slope a minute of the least-squares line, and the mean.

    Examples
    --------
    >>> [round(value, 6) for value in slope_and_mean([0.0, 30.0, 60.0], [10.0, 11.0, 12.0])]
    [2.0, 11.0]
    """
    slope = np.polyfit(np.asarray(at_s) / 60, values, 1)[0] if len(values) > 1 else float("nan")
    return [float(slope), float(np.mean(values))]
