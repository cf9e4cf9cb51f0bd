"""Peers at their defaults, as alarms counted over unchanged rows: one detector a column, all columns together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN
from scipy.stats import ks_2samp  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.peers import KSWIN_RECENT, KSWIN_ROWS, PSI_CELLS, kswin_paths, psi_paths

__all__ = ["DEFAULTS"]

WINDOW = 100
KSWIN_ALPHA = 0.005
KS_ALPHA = 0.05
SIGMAS = 3.0

Floats = npt.NDArray[np.float64]
Alarms = Callable[[Floats, Floats], int]


def _psi(threshold: float) -> Alarms:
    def alarms(live_nd: Floats, reference_rd: Floats) -> int:
        levels = [
            psi_paths(live_nd[None, :, d : d + 1], reference_rd[:, d : d + 1], WINDOW)[0] for d in _columns(live_nd)
        ]
        return sum(int((level[WINDOW // PSI_CELLS - 1 :: WINDOW // PSI_CELLS] > threshold).sum()) for level in levels)

    return alarms


def _ks(live_nd: Floats, reference_rd: Floats) -> int:
    windows = live_nd[: len(live_nd) // WINDOW * WINDOW].reshape(-1, WINDOW, live_nd.shape[1])
    part_rd = reference_rd[:1000]
    return sum(
        int(ks_2samp(w[:, d], part_rd[:, d]).pvalue < KS_ALPHA) for w in windows[:100] for d in _columns(live_nd)
    ) * (len(windows) // 100)


def _three_sigma(live_nd: Floats, reference_rd: Floats) -> int:
    """Alarm where a window's mean is beyond three deviations of the reference's window means."""
    chunks = (
        reference_rd[: len(reference_rd) // WINDOW * WINDOW].reshape(-1, WINDOW, reference_rd.shape[1]).mean(axis=1)
    )
    means = live_nd[: len(live_nd) // WINDOW * WINDOW].reshape(-1, WINDOW, live_nd.shape[1]).mean(axis=1)
    return int((np.abs(means - chunks.mean(axis=0)) > SIGMAS * chunks.std(axis=0)).sum())


def _adwin(live_nd: Floats, reference_rd: Floats) -> int:
    alarms = 0
    for d in _columns(live_nd):
        detector = ADWIN()  # type: ignore[no-untyped-call]  # river's detectors have no types
        for value in live_nd[:, d].tolist():
            detector.update(value)  # type: ignore[no-untyped-call]  # as above
            alarms += bool(detector.drift_detected)
    return alarms


def _kswin(live_nd: Floats, reference_rd: Floats) -> int:
    """Count alarms; after one, KSWIN keeps 30 rows and is silent until it has 100 again."""
    alarms = 0
    for d in _columns(live_nd):
        hits = np.flatnonzero(kswin_paths(live_nd[None, :, d : d + 1])[0] >= -np.log(KSWIN_ALPHA)) * 10
        last = -KSWIN_ROWS
        for hit in hits.tolist():
            if hit - last >= KSWIN_ROWS - KSWIN_RECENT:
                alarms, last = alarms + 1, hit
    return alarms


def _columns(rows_nd: Floats) -> range:
    return range(rows_nd.shape[1])


DEFAULTS: Mapping[str, Alarms] = MappingProxyType(
    {
        "PSI 0.1 (100 rows)": _psi(0.1),
        "PSI 0.25 (100 rows)": _psi(0.25),
        "KS p < 0.05 (100 rows)": _ks,
        "three sigma (100 rows)": _three_sigma,
        "ADWIN 0.002": _adwin,
        "KSWIN 0.005": _kswin,
    }
)
