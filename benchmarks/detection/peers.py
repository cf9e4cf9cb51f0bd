"""Peers as paths: river's detectors, and windows against the reference.

Every function takes (runs, rows, columns) and returns (runs, rows / 10); a larger value is more alarming. With many
columns the largest value counts. River's ADWIN is river's own object; KSWIN and Page-Hinkley follow river's code with
all runs at once (tests hold them against it).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN
from scipy.stats import ks_2samp  # type: ignore[import-untyped]  # SciPy ships no types

__all__ = ["MISSING", "adwin_paths", "at_steps", "ks_paths", "kswin_paths", "page_hinkley_paths", "psi_paths"]

STEP = 10
ADWIN_DELTAS = (*(10.0 ** -(e / 2) for e in range(17)), *(10.0**-e for e in (10, 12, 15, 20, 30, 45, 70, 100)))
KSWIN_ROWS, KSWIN_RECENT = 100, 30
PSI_CELLS, PSI_FILL = 10, 1e-4
KS_CELLS = 64
MISSING = -9.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def adwin_paths(x_ntd: Floats) -> Floats:
    """Return how many of a ladder of ever stricter ADWINs have fired in a column (delta from 1 to 1e-100)."""
    runs, rows, columns = x_ntd.shape
    fired = np.zeros((runs, rows // STEP))
    for n in range(runs):
        for d in range(columns):
            values = x_ntd[n, :, d].tolist()
            for level, delta in enumerate(ADWIN_DELTAS, start=1):
                detector = ADWIN(delta=delta)  # type: ignore[no-untyped-call]  # river's detectors have no types
                first = _first_alarm(detector, values)
                if first is None:
                    break
                fired[n, first // STEP :] = np.maximum(fired[n, first // STEP :], level)
    return fired


def page_hinkley_paths(x_ntd: Floats, delta: float, alpha: float = 0.9999, least: int = 30) -> Floats:
    """Return Page-Hinkley's two-sided statistic (river's update rule; standardised columns)."""
    runs, rows, columns = x_ntd.shape
    mean, up, down = (np.zeros((runs, columns)) for _ in range(3))
    lowest, highest = np.full((runs, columns), np.inf), np.full((runs, columns), -1.0)
    path = np.zeros((runs, rows))
    for t in range(rows):
        x = x_ntd[:, t]
        mean += (x - mean) / (t + 1)
        deviation = x - mean
        up, down = alpha * up + deviation - delta, alpha * down + deviation + delta
        lowest, highest = np.minimum(lowest, up), np.maximum(highest, down)
        if t + 1 >= least:
            path[:, t] = np.maximum(up - lowest, highest - down).max(axis=1)
    return at_steps(path)


def kswin_paths(x_ntd: Floats) -> Floats:
    """Return minus log p of KSWIN's test of the last 30 of 100 rows against 30 drawn from the 70 before."""
    runs, rows, columns = x_ntd.shape
    rng = np.random.default_rng(7)
    by_distance = np.array([_kswin_nats(k) for k in range(KSWIN_RECENT + 1)])
    older = KSWIN_ROWS - KSWIN_RECENT
    path = np.zeros((runs, rows))
    for n in range(runs):
        windows = np.lib.stride_tricks.sliding_window_view(x_ntd[n], KSWIN_ROWS, axis=0)
        drawn = rng.random((len(windows), older)).argsort(axis=1)[:, :KSWIN_RECENT]
        for d in range(columns):
            before = np.take_along_axis(windows[:, d], drawn, axis=1)
            steps = _largest_difference(before, windows[:, d, older:])
            path[n, KSWIN_ROWS - 1 :] = np.maximum(path[n, KSWIN_ROWS - 1 :], by_distance[steps])
    return at_steps(path)


def ks_paths(x_ntd: Floats, reference_rd: Floats, window: int) -> Floats:
    """Return the largest Kolmogorov-Smirnov distance of the last rows to the reference, on a grid of 64 quantiles."""
    return _window_paths(x_ntd, reference_rd, window, KS_CELLS, _ks)


def psi_paths(x_ntd: Floats, reference_rd: Floats, window: int) -> Floats:
    """Return the largest population stability index of the last rows, on reference deciles."""
    return _window_paths(x_ntd, reference_rd, window, PSI_CELLS, _psi)


def _first_alarm(detector: ADWIN, values: list[float]) -> int | None:
    for index, value in enumerate(values):
        detector.update(value)  # type: ignore[no-untyped-call]  # as above
        if detector.drift_detected:
            return index
    return None


def at_steps(path_nt: Floats) -> Floats:
    """Return the largest value of every ten rows."""
    runs, rows = path_nt.shape
    return np.asarray(path_nt[:, : rows // STEP * STEP].reshape(runs, -1, STEP).max(axis=2))


def _kswin_nats(steps: int) -> float:
    """Return minus log p of a distance of so many thirtieths; KSWIN asks for more than 0.1, too."""
    if steps <= KSWIN_RECENT * 0.1:
        return 0.0
    ranks = np.arange(float(KSWIN_RECENT))
    return float(-np.log(ks_2samp(ranks, ranks + steps - 0.5).pvalue))


def _largest_difference(a_wn: Floats, b_wn: Floats) -> Ints:
    """Return the largest difference of the two samples' counts up to any value."""
    both = np.concatenate([a_wn, b_wn], axis=1)
    order = both.argsort(axis=1, kind="stable")
    ranked = np.take_along_axis(both, order, axis=1)
    sums = np.cumsum(np.where(order < a_wn.shape[1], 1, -1), axis=1)
    is_last = np.ones(ranked.shape, dtype=np.bool_)
    is_last[:, :-1] = ranked[:, 1:] > ranked[:, :-1]
    return np.asarray(np.abs(np.where(is_last, sums, 0)).max(axis=1))


def _window_paths(x_ntd: Floats, reference_rd: Floats, window: int, cells: int, statistic: object) -> Floats:
    """Return a statistic of the cell shares of the last rows, every ten rows, the largest over columns."""
    runs, rows, columns = x_ntd.shape
    steps, span = rows // STEP, window // STEP
    path = np.zeros((runs, steps))
    for d in range(columns):
        edges = _edges(reference_rd[:, d], cells)
        size = len(edges) + 1
        reference = np.bincount(np.searchsorted(edges, reference_rd[:, d], side="right"), minlength=size)
        found = np.searchsorted(edges, x_ntd[:, : steps * STEP, d].ravel(), side="right")
        found += np.repeat(np.arange(runs * steps) * size, STEP)
        blocks = np.bincount(found, minlength=runs * steps * size).reshape(runs, steps, size)
        total = np.concatenate([np.zeros((runs, 1, size)), blocks.cumsum(axis=1)], axis=1)
        shares = (total[:, span:] - total[:, :-span]) / window
        level = statistic(shares, reference / len(reference_rd))  # type: ignore[operator]
        path[:, span - 1 :] = np.maximum(path[:, span - 1 :], level)
    return path


def _edges(reference_r: Floats, cells: int) -> Floats:
    """Return edges at quantiles, around each of few values, and below all that is known: missing has its own cell."""
    distinct = np.unique(reference_r)
    if len(distinct) <= cells:
        inner = np.append((distinct[1:] + distinct[:-1]) / 2, distinct[-1] + 1e-6)
    else:
        inner = np.unique(np.quantile(reference_r, np.linspace(0, 1, cells + 1)[1:-1]))
    return np.concatenate([[MISSING + 0.5], inner])


def _ks(live: Floats, reference: Floats) -> Floats:
    return np.asarray(np.abs((live - reference).cumsum(axis=-1)).max(axis=-1))


def _psi(live: Floats, reference: Floats) -> Floats:
    q, p = np.maximum(live, PSI_FILL), np.maximum(reference, PSI_FILL)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))
