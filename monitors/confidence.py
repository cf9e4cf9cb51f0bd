"""Confidence collapse: does the answer still depend on the input?

A classifier's information is I = H(mean p) - mean H(p), in nats. It falls to zero when the answer no longer depends on
the input, whatever its level of confidence; ``collapse_index`` = 1 - I / I_ref shows it as one number between 0 (as on
the reference) and 1 (the answer carries nothing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.effects import Movement
from monitors.outputs import entropy_nats, histogram_mean
from monitors.reference import ConfidenceProfile, OutputProfile
from monitors.summary import FIXED_POINT, Layout

__all__ = ["MODES", "Confidence", "assess_confidence"]

MODES = ("under-confidence", "class-collapse", "constant-output", "saturation", "broken-output")
ROWS_PER_CLASS = 50
LEAST_INFORMATION = 0.005

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Confidence over one window. Ratios are of scored rows; ``broken`` is of all rows.

    ``collapse_index`` is ``None`` without a reference, for a reference without information, and below 50 rows a class
    (the entropy of a mean over few rows is too low).
    """

    rows: int
    entropy_nats: float
    margin: float
    margin_before: float | None
    information_nats: float
    information_before: float | None
    effective_classes: float
    saturated: float
    broken: float
    collapse_index: float | None
    modes: tuple[str, ...]

    def collapsed(self) -> Movement | None:
        """Return the collapse index as something that may have moved."""
        if self.collapse_index is None or self.information_before is None:
            return None
        how = f" ({', '.join(self.modes)})" if self.modes else ""
        before = f"information {self.information_before:.2g} nats, mean margin {self.margin_before:.2f}"
        after = f"information {self.information_nats:.2g} nats, mean margin {self.margin:.2f}{how}"
        return Movement("answer", "collapse_index", self.collapse_index, 0.0, before, after)


def assess_confidence(layout: Layout, cells: Ints, rows: int) -> Confidence | None:
    """Return the confidence of a classifier over a window; ``None`` for other outputs and without scored rows.

    Parameters
    ----------
    layout
        Layout of the summary.
    cells : (c,) int64
        Pooled cells of the window.
    rows
        Rows of the window.
    """
    scored = int(layout.part(cells, "scored")[0]) if layout.has("scored") else 0
    if not scored:
        return None
    output = layout.profile.output if layout.profile else None
    before = output.confidence if output else None
    mean_k = layout.part(cells, "probabilities") / (FIXED_POINT * scored)
    entropy = float(layout.part(cells, "entropy")[0] / (FIXED_POINT * scored))
    information = max(0.0, entropy_nats(mean_k) - entropy)
    margin_before = histogram_mean(np.array(before.margin_counts)) if before else None
    found = Confidence(
        rows=scored,
        entropy_nats=entropy,
        margin=histogram_mean(layout.part(cells, "margin")),
        margin_before=margin_before,
        information_nats=information,
        information_before=before.information_nats if before else None,
        effective_classes=_effective(layout.part(cells, "class")[:-1]),
        saturated=float(layout.part(cells, "saturated")[0] / scored),
        broken=float(layout.part(cells, "broken")[0] / max(1, rows)),
        collapse_index=_collapse_index(information, before, scored, len(mean_k)),
        modes=(),
    )
    if output is None:
        return found
    return replace(found, modes=_modes(found, layout.part(cells, "class")[:-1], output))


def _effective(class_counts: Ints) -> float:
    """Return the effective number of classes: exp of the entropy of the class shares."""
    return math.exp(entropy_nats(class_counts / max(1, class_counts.sum())))


def _collapse_index(information: float, before: ConfidenceProfile | None, rows: int, classes: int) -> float | None:
    if before is None or before.information_nats < LEAST_INFORMATION or rows < ROWS_PER_CLASS * classes:
        return None
    return min(1.0, max(0.0, 1.0 - information / before.information_nats))


def _modes(found: Confidence, class_counts: Ints, output: OutputProfile) -> tuple[str, ...]:
    """Name how confidence left its reference; the rules are start values, not calibrated."""
    before = output.confidence
    if before is None:
        return ()
    reference_counts = np.array(output.class_counts, dtype=np.int64)
    largest = float(class_counts.max(initial=0) / max(1, class_counts.sum()))
    largest_before = float(reference_counts.max(initial=0) / max(1, reference_counts.sum()))
    one_class = largest > 0.95 and largest_before < 0.80
    holds = (
        found.margin < 0.5 * (found.margin_before or 0.0),
        one_class or found.effective_classes < 0.6 * _effective(reference_counts),
        before.information_nats >= LEAST_INFORMATION and found.information_nats < 0.25 * before.information_nats,
        found.saturated > before.saturated_ratio + 0.2,
        found.broken > 0.0,
    )
    return tuple(mode for mode, is_on in zip(MODES, holds, strict=True) if is_on)
