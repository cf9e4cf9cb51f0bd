"""Contestants: Weir and its peers, each as paths of one statistic, a value every ten rows.

An alarm is the first time that a path reaches a threshold, so one path serves every threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.detection.peers import MISSING, adwin_paths, ks_paths, kswin_paths, page_hinkley_paths, psi_paths
from benchmarks.detection.streams import Stream
from benchmarks.detection.windows import cvm_paths, cvm_together_paths, mmd_paths
from monitors.evidence.budget import Budget
from monitors.evidence.detector import EDetector
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows

__all__ = ["STEP_ROWS", "WEIR", "Paths", "Standard", "contestants", "weir_paths"]

STEP_ROWS = 10
KERNEL_ROWS = 1_000
"""Rows of the reference that MMD compares each row with; all others look at the whole of it."""
WEIR = "Weir"

Floats = npt.NDArray[np.float64]
Paths = Callable[[Rows, int], Floats]
"""Rows of so many runs behind each other to paths (runs, steps)."""


@dataclass(frozen=True, slots=True)
class Standard:
    """How peers see rows: one matrix, standardised by the reference; missing lies nine deviations below the mean."""

    centre_d: Floats
    scale_d: Floats

    @classmethod
    def fit(cls, reference: Rows) -> Standard:
        columns = _columns(reference)
        scale_d = np.nanstd(columns, axis=0)
        return cls(np.nanmean(columns, axis=0), np.where(scale_d > 0, scale_d, 1.0))

    def __call__(self, rows: Rows, runs: int) -> Floats:
        standard = (_columns(rows) - self.centre_d) / self.scale_d
        return np.nan_to_num(standard, nan=MISSING).reshape(runs, len(rows) // runs, -1)


def contestants(stream: Stream, reference: Rows) -> dict[str, Paths]:
    """Return Weir and its peers, fitted on the reference of a stream."""
    standard = Standard.fit(reference)
    reference_rd = standard(reference, 1)[0]
    peers: dict[str, Callable[[Floats], Floats]] = {
        "ADWIN": adwin_paths,
        "KSWIN": kswin_paths,
        "Page-Hinkley": lambda x_ntd: page_hinkley_paths(x_ntd, 0.005),
        "Page-Hinkley 0.1": lambda x_ntd: page_hinkley_paths(x_ntd, 0.1),
    }
    for window in (50, 100, 200, 500):
        peers[f"KS window {window}"] = lambda x_ntd, window=window: ks_paths(x_ntd, reference_rd, window)  # type: ignore[misc]
        peers[f"PSI window {window}"] = lambda x_ntd, window=window: psi_paths(x_ntd, reference_rd, window)  # type: ignore[misc]
    few_rd = reference_rd[:: -(-len(reference_rd) // KERNEL_ROWS)]
    for window in (25, 50, 100, 200):
        peers[f"CVM window {window}"] = lambda x_ntd, window=window: cvm_paths(x_ntd, reference_rd, window)  # type: ignore[misc]
        peers[f"MMD window {window}"] = lambda x_ntd, window=window: mmd_paths(x_ntd, few_rd, window)  # type: ignore[misc]
    peers["CVM windows together"] = lambda x_ntd: cvm_together_paths(x_ntd, reference_rd, (25, 50, 100))
    paths: dict[str, Paths] = {WEIR: weir_paths(stream, reference)}
    for name, peer in peers.items():
        paths[name] = lambda rows, runs, peer=peer: peer(standard(rows, runs))  # type: ignore[misc]
    return paths


def weir_paths(stream: Stream, reference: Rows) -> Paths:
    """Return Weir's paths: the number of summaries between false pages at which its first cause would page."""
    model = EvidenceModel.fit(reference, stream.features, stream.output)
    thresholds = Budget(rows_between_false_pages=STEP_ROWS).thresholds(model.causes)
    listed, weights_c = model.channels.listed, model.channel_weights()
    scaled = np.array(
        [[weights_c[c] / thresholds[k] * (listed[c].cause == k) for k in model.causes] for c in range(len(listed))]
    )

    def paths(rows: Rows, runs: int) -> Floats:
        counts = model.channels.block_counts(rows, STEP_ROWS, RowMemory())
        counts = counts.reshape(runs, -1, *counts.shape[1:])
        detector = EDetector(model.table.weights_ck, (runs,))
        found = np.empty(counts.shape[:2])
        for step in range(counts.shape[1]):
            detector.update(model.table.log_ratios(counts[:, step]))
            found[:, step] = (detector.sums_c() @ scaled).max(axis=1)
        return found

    return paths


def _columns(rows: Rows) -> Floats:
    parts = [rows.values_nd] if rows.scores_nk is None else [rows.values_nd, rows.scores_nk]
    return np.concatenate(parts, axis=1)
