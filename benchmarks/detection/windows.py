"""Online two-sample tests as paths: Cramér-von Mises and maximum mean discrepancy of the last rows to the reference.

These are the statistics of two of alibi-detect's online detectors, after each row and with all runs at once, where
alibi-detect itself looks at one row a call. ``benchmarks.detection.elsewhere --check`` holds them against it. As in
``benchmarks.detection.peers``, paths take (runs, rows, columns) and give the largest value of every ten rows.

References
----------
Anderson, "On the distribution of the two-sample Cramér-von Mises criterion", Annals of Mathematical Statistics, 1962.
Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research, 2012. Cobb, Van Looveren, Klaise,
"Sequential multivariate change detection with calibrated and memoryless false detection rates", AISTATS, 2022.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.detection.peers import at_steps

__all__ = [
    "cvm_paths",
    "cvm_rows",
    "cvm_together_paths",
    "cvm_together_rows",
    "median_distance",
    "mmd_paths",
    "mmd_rows",
]

CHUNK_ROWS = 4_096
TOGETHER = 8
"""Columns that are followed at once."""

Floats = npt.NDArray[np.float64]
Wide = npt.NDArray[np.floating]


def cvm_paths(x_ntd: Floats, reference_rd: Floats, window: int) -> Floats:
    """Return the largest Cramér-von Mises statistic of a column, every ten rows; 0 before the window is full."""
    return at_steps(cvm_rows(x_ntd, reference_rd, window).max(axis=2))


def mmd_paths(x_ntd: Floats, reference_rd: Floats, window: int) -> Floats:
    """Return the maximum mean discrepancy of all columns together, every ten rows; 0 before the window is full."""
    return at_steps(mmd_rows(x_ntd, reference_rd, window, median_distance(reference_rd)))


def cvm_together_paths(x_ntd: Floats, reference_rd: Floats, windows: tuple[int, ...]) -> Floats:
    """Return the largest standardised Cramér-von Mises statistic of a column and a window, every ten rows."""
    return at_steps(cvm_together_rows(x_ntd, reference_rd, windows))


def cvm_together_rows(x_ntd: Floats, reference_rd: Floats, windows: tuple[int, ...]) -> Floats:
    """Return the largest statistic of a column and a full window, less its mean over its deviation without a change,
    after each row: (runs, rows)."""
    found = np.full(x_ntd.shape[:2], -np.inf)
    for window in windows:
        largest = _standardised(cvm_rows(x_ntd, reference_rd, window).max(axis=2), len(reference_rd), window)
        np.maximum(found[:, window - 1 :], largest[:, window - 1 :], out=found[:, window - 1 :])
    return found


def cvm_rows(x_ntd: Floats, reference_rd: Floats, window: int) -> Floats:
    """Return the two-sample Cramér-von Mises statistic of each column after each row: (runs, rows, columns).

    With F the law of the R reference values r and G that of the w values a of the window, it is R w / (R + w)^2 times
    the sum of (F - G)^2 over all of them. Over the reference that sum falls into sums over values and pairs of the
    window,

        sum_r F(r)^2 - 2/w sum_a sum(F(r), r >= a) + 1/w^2 sum_ab #(r >= max(a, b)),

    so a row costs O(w), however long the reference is.
    """
    (runs, rows, columns), count = x_ntd.shape, len(reference_rd)
    found = np.empty((runs, rows, columns))
    for start in range(0, columns, TOGETHER):
        some = range(start, min(start + TOGETHER, columns))
        parts = [_of_reference(x_ntd[:, :, d], np.sort(reference_rd[:, d]), window) for d in some]
        x_st = np.concatenate([x_ntd[:, :, d] for d in some])
        law_st, above_st, single_st = (np.concatenate([part[i] for part in parts]) for i in range(3))
        together_st = _squares(x_st, law_st, above_st, single_st, window)
        found[:, :, start : some.stop] = together_st.reshape(len(some), runs, rows).transpose(1, 2, 0)
    return found * (count * window / (count + window) ** 2)


def _standardised(cvm: Floats, reference_rows: int, window: int) -> Floats:
    r, w, n = reference_rows, window, reference_rows + window
    variance = (n + 1) * (4 * r * w * n - 3 * (r**2 + w**2) - 2 * r * w) / (180 * n**2 * r * w)
    return np.asarray((cvm - (1 + 1 / n) / 6) / np.sqrt(variance))


def _of_reference(x_nt: Floats, sorted_r: Floats, window: int) -> tuple[Floats, Floats, Floats]:
    """Return F of each value, how many reference values are not below it, and its part of the sum over values."""
    count = len(sorted_r)
    law_r = np.searchsorted(sorted_r, sorted_r, side="right") / count
    from_r = np.append(np.cumsum(law_r[::-1])[::-1], 0.0)
    first_nt = np.searchsorted(sorted_r, x_nt, side="left")
    law_nt = np.searchsorted(sorted_r, x_nt, side="right") / count
    return law_nt, (count - first_nt).astype(np.float64), ((law_r**2).sum() - 2.0 * from_r[first_nt]) / window


def _squares(x_st: Floats, law_st: Floats, above_st: Floats, single_st: Floats, window: int) -> Floats:
    """Return the sum of (F - G)^2 over reference and window after each row of each stream: (streams, rows).

    The window is a ring: every row takes the place of the oldest, and leaves the ranks of all others up to date.
    """
    streams, rows = x_st.shape
    values_sw, laws_sw = np.full((streams, window), np.inf), np.zeros((streams, window))
    aboves_sw, ranks_sw, pairs_s = np.zeros((streams, window)), np.zeros((streams, window)), np.zeros(streams)
    found_st = _last(single_st, window)
    found_st[:, : window - 1] = 0.0
    for t in range(rows):
        slot, x_s1, above_s1 = t % window, x_st[:, t, None], above_st[:, t, None]
        if t >= window:
            gone_s1 = aboves_sw[:, slot, None].copy()
            pairs_s -= 2.0 * np.minimum(aboves_sw, gone_s1).sum(axis=1) - gone_s1[:, 0]
            ranks_sw -= values_sw[:, slot, None] <= values_sw
        values_sw[:, slot], laws_sw[:, slot], aboves_sw[:, slot] = x_st[:, t], law_st[:, t], above_st[:, t]
        ranks_sw += x_s1 <= values_sw
        ranks_sw[:, slot] = (values_sw <= x_s1).sum(axis=1)
        pairs_s += 2.0 * np.minimum(aboves_sw, above_s1).sum(axis=1) - above_s1[:, 0]
        if t >= window - 1:
            gaps_sw = laws_sw - ranks_sw / window
            found_st[:, t] += pairs_s / window**2 + np.einsum("sw,sw->s", gaps_sw, gaps_sw)
    return found_st


def median_distance(reference_rd: Floats) -> float:
    """Return the median of the squared distances between reference rows."""
    between = _squared_distances(reference_rd, reference_rd)
    return float(np.median(between[~np.eye(len(reference_rd), dtype=np.bool_)]))


def mmd_rows(x_ntd: Floats, reference_rd: Floats, window: int, width: float) -> Floats:
    """Return the unbiased squared maximum mean discrepancy after each row, by the kernel exp(-distance^2 / width):
    (runs, rows)."""
    runs, rows, columns = x_ntd.shape
    count = len(reference_rd)
    within_reference = _kernel(_squared_distances(reference_rd, reference_rd), width).sum() - count
    flat, reference = x_ntd.reshape(-1, columns).astype(np.float32), reference_rd.astype(np.float32)
    chunks = [flat[start : start + CHUNK_ROWS] for start in range(0, len(flat), CHUNK_ROWS)]
    near = [_kernel(_squared_distances(chunk, reference), width).mean(axis=1, dtype=np.float64) for chunk in chunks]
    to_reference = np.concatenate(near).reshape(runs, rows)
    before, behind = np.zeros((runs, rows)), np.zeros((runs, rows))
    for lag in range(1, window):
        alike = _kernel(((x_ntd[:, lag:] - x_ntd[:, :-lag]) ** 2).sum(axis=2), width)
        before[:, lag:] += alike
        behind[:, :-lag] += alike
    pairs = before.cumsum(axis=1)
    pairs[:, window:] -= behind.cumsum(axis=1)[:, :-window]
    found = within_reference / (count * (count - 1)) + 2.0 * pairs / (window * (window - 1))
    found -= 2.0 / window * _last(to_reference, window)
    found[:, : window - 1] = 0.0
    return np.asarray(found)


def _last(x_nt: Floats, window: int) -> Floats:
    """Return the sum of the last so many values, or of all until there are as many."""
    sums_nt = np.cumsum(x_nt, axis=1)
    sums_nt[:, window:] -= sums_nt[:, :-window].copy()
    return sums_nt


def _kernel(squared: Wide, width: float) -> Wide:
    np.multiply(squared, -1.0 / width, out=squared)
    return np.exp(squared, out=squared)


def _squared_distances(a_nd: Wide, b_rd: Wide) -> Wide:
    found = (a_nd**2).sum(axis=1)[:, None] + (b_rd**2).sum(axis=1) - 2.0 * a_nd @ b_rd.T
    return np.asarray(np.maximum(found, 0.0))
