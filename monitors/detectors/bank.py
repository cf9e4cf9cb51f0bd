"""The detectors that settings name, over the signals of one stream: fed tick by tick, shown, and never a page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from monitors.detectors.base import Detector
from monitors.signals import Signals

__all__ = ["LEAST_ROWS", "DetectorBank", "DetectorChoice", "Detectors", "Finding", "SignalFinding"]

LEAST_ROWS = 50
"""Ticks with fewer rows are pooled until there are so many: the mean of a handful jumps without any change."""

Detectors = Mapping[str, type[Detector]]
"""What is to be fed, by the name that the settings gave it."""

Ints = npt.NDArray[np.int64]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetectorChoice:
    """Which detectors each model's streams are shown to: those of ``by_model``, or else of ``for_all``."""

    for_all: Detectors = field(default_factory=dict)
    by_model: Mapping[str, Detectors] = field(default_factory=dict)

    def of(self, model: str) -> Detectors:
        """Return the detectors of a model."""
        return self.by_model.get(model, self.for_all)


@dataclass(frozen=True, slots=True)
class SignalFinding:
    """One signal under one detector: its value and the detector's statistic, and when drift was detected last."""

    signal: str
    value: float
    statistic: float
    detections: int = 0
    detected_at: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one detector has to say of a stream; ``failed`` says why it was taken out, and is empty otherwise."""

    detector: str
    is_warm: bool
    n_seen: int
    signals: tuple[SignalFinding, ...]
    failed: str = ""


class DetectorBank:
    """Feed each tick's signals to detectors.

    Parameters
    ----------
    detectors
        Detectors by name; each is made with the number of signals alone.
    signals
        What they look at.

    Notes
    -----
    A detector that raises is taken out and says so in its finding: foreign code must not cost a page. Memory: that of
    the detectors, and three numbers for each of them and signal. Everything restarts cold.
    """

    def __init__(self, detectors: Detectors, signals: Signals) -> None:
        self._signals = signals
        self._values_s = signals.neutral()
        self._rows = 0
        self._cells: Ints | None = None
        self._made: dict[str, Detector] = {}
        self._findings: dict[str, Finding] = {}
        if signals.names:
            for name, kind in detectors.items():
                self._begin(name, kind)

    def take(self, cells: Ints, rows: int, end_s: float) -> None:
        """Take the summed cells of one tick, which ended at ``end_s``; what is too few rows waits for more."""
        if not self._made or not rows:
            return
        self._rows += rows
        self._cells = cells if self._cells is None else self._cells + cells
        if self._rows < LEAST_ROWS:
            return
        self._values_s = self._signals.measure(self._cells, self._values_s)
        self._rows, self._cells = 0, None
        for name, detector in tuple(self._made.items()):
            self._update(name, detector, end_s)

    def findings(self) -> tuple[Finding, ...]:
        """Return what each detector has found, in the order of the settings."""
        return tuple(self._findings.values())

    def _begin(self, name: str, kind: type[Detector]) -> None:
        try:
            detector = kind(len(self._signals.names))
        except Exception as exc:
            self._take_out(name, Finding(name, False, 0, ()), exc)
            return
        self._made[name] = detector
        shown = zip(self._signals.names, self._values_s.tolist(), strict=True)
        self._findings[name] = Finding(name, False, 0, tuple(SignalFinding(s, value, 0.0) for s, value in shown))

    def _update(self, name: str, detector: Detector, end_s: float) -> None:
        known = self._findings[name]
        try:
            detector.update(self._values_s)
            fired_s, statistic_s = detector.drift_detected.tolist(), detector.statistic.tolist()
            if not np.isfinite(detector.statistic).all():
                raise ValueError("its statistic is not finite")
            state = bool(detector.is_warm), int(detector.n_seen)
            moved = zip(known.signals, self._values_s.tolist(), statistic_s, fired_s, strict=True)
            signals = tuple(_moved(signal, value, statistic, fired, end_s) for signal, value, statistic, fired in moved)
        except Exception as exc:
            self._take_out(name, known, exc)
            return
        self._findings[name] = Finding(name, *state, signals)

    def _take_out(self, name: str, known: Finding, exc: Exception) -> None:
        logger.error("the detector %s failed and is taken out: %s: %s", name, type(exc).__name__, exc)
        self._made.pop(name, None)
        self._findings[name] = replace(known, failed=f"{type(exc).__name__}: {exc}"[:200])


def _moved(known: SignalFinding, value: float, statistic: float, fired: bool, end_s: float) -> SignalFinding:
    if not fired:
        return replace(known, value=value, statistic=float(statistic))
    return SignalFinding(known.signal, value, float(statistic), known.detections + 1, end_s)
