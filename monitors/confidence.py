"""Confidence collapse: does the answer still depend on the input?

A classifier's information is I = H(mean p) - mean H(p), in nats. It falls to zero when the answer no longer depends on
the input, whatever its level of confidence; ``collapse_index`` = 1 - I / I_ref shows it as one number between 0 (as on
the reference) and 1 (the answer carries nothing). Traffic that brings more of one class lowers I too, without any fault
of the model: ``beyond_mix`` is the same index against the information that the present mix of answers leads to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from monitors.effects import NORMAL_99, Movement, share_noise
from monitors.mix import Expected, expected_of_mix
from monitors.outputs import entropy_nats, histogram_mean, histogram_spread
from monitors.reference import ConfidenceProfile, OutputProfile
from monitors.summary import FIXED_POINT, Layout
from monitors.words import shares_apart

__all__ = ["MODES", "Confidence", "assess_confidence"]

MODES = ("under-confidence", "class-collapse", "constant-output", "saturation", "broken-output")
ROWS_PER_CLASS = 50
LEAST_INFORMATION = 0.005
LOST_MARGIN = 0.05
GAINED_SHARE = 0.10
GAINED_SATURATION = 0.20
CONSTANT_SPREAD = 0.1
MODAL, MODAL_BEFORE = 0.9, 0.5

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confidence:
    """Confidence over one window. Ratios are of scored rows; ``broken`` is of all rows.

    ``collapse_index`` is ``None`` without a reference, for a reference without information, and below 50 rows a class
    (the entropy of a mean over few rows is too low). ``beyond_mix`` is ``None`` too where the reference does not tell
    the answers of the classes apart, and where the present mix carries next to nothing by itself. ``margin_before`` and
    ``saturated_before`` are those of the reference for the present mix, where it tells.
    """

    rows: int
    entropy_nats: float
    margin: float
    margin_before: float | None
    information_nats: float
    information_before: float | None
    effective_classes: float
    saturated: float
    saturated_before: float | None
    saturated_noise: float
    broken: float
    collapse_index: float | None
    beyond_mix: float | None
    modes: tuple[str, ...]

    def collapsed(self) -> Movement | None:
        """Return the collapse index as something that may have moved."""
        if self.collapse_index is None or self.information_before is None:
            return None
        how = f" ({', '.join(self.modes)})" if self.modes else ""
        before = f"information {self.information_before:.2g} nats, mean margin {self.margin_before:.2f}"
        after = f"information {self.information_nats:.2g} nats, mean margin {self.margin:.2f}{how}"
        return Movement("answer", "collapse_index", self.collapse_index, 0.0, before, after)

    def saturates(self) -> Movement | None:
        """Return how much more answers are sure of themselves beyond 0.999 than the same classes were."""
        if self.saturated_before is None:
            return None
        effect = max(0.0, self.saturated - self.saturated_before)
        before, after = shares_apart(self.saturated_before, self.saturated)
        words = f"top-1 above 0.999 in {before}", f"in {after}"
        return Movement("answer", "saturated", effect, self.saturated_noise, *words)


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
    class_counts = layout.part(cells, "class")[:-1]
    expected = _expected(before, class_counts)
    mean_k = layout.part(cells, "probabilities") / (FIXED_POINT * scored)
    entropy = float(layout.part(cells, "entropy")[0] / (FIXED_POINT * scored))
    information = max(0.0, entropy_nats(mean_k) - entropy)
    saturated_before = expected.saturated if expected else None
    is_enough = scored >= ROWS_PER_CLASS * len(mean_k)
    found = Confidence(
        rows=scored,
        entropy_nats=entropy,
        margin=histogram_mean(layout.part(cells, "margin")),
        margin_before=expected.margin if expected else None,
        information_nats=information,
        information_before=before.information_nats if before else None,
        effective_classes=_effective(class_counts),
        saturated=float(layout.part(cells, "saturated")[0] / scored),
        saturated_before=saturated_before,
        saturated_noise=share_noise(saturated_before or 0.0, scored, before.rows if before else 0),
        broken=float(layout.part(cells, "broken")[0] / max(1, rows)),
        collapse_index=_lost(information, before.information_nats) if before and is_enough else None,
        beyond_mix=_lost(information, expected.information_nats) if expected and is_enough else None,
        modes=(),
    )
    if output is None or before is None:
        return found
    return replace(found, modes=_modes(found, layout, cells, output, before))


def _expected(before: ConfidenceProfile | None, class_counts: Ints) -> Expected | None:
    """Return what the present mix leads to; where the reference cannot tell, what its own mix led to."""
    if before is None:
        return None
    overall = Expected(histogram_mean(np.array(before.margin_counts)), before.saturated_ratio, 0.0)
    return expected_of_mix(before.by_class, class_counts) or overall


def _effective(class_counts: Ints) -> float:
    """Return the effective number of classes: exp of the entropy of the class shares."""
    return math.exp(entropy_nats(class_counts / max(1, class_counts.sum())))


def _lost(information: float, before: float) -> float | None:
    if before < LEAST_INFORMATION:
        return None
    return min(1.0, max(0.0, 1.0 - information / before))


def _modes(
    found: Confidence, layout: Layout, cells: Ints, output: OutputProfile, before: ConfidenceProfile
) -> tuple[str, ...]:
    """Name how confidence left its reference; the rules are start values, not calibrated."""
    holds = (
        _is_under_confident(found, before),
        _is_one_class(layout.part(cells, "class")[:-1], np.array(output.class_counts, dtype=np.int64)),
        _is_constant(found, layout, cells, np.array(before.top1_counts, dtype=np.int64)),
        found.saturated > (found.saturated_before or 0.0) + GAINED_SATURATION,
        found.broken > 0.0,
    )
    return tuple(mode for mode, is_on in zip(MODES, holds, strict=True) if is_on)


def _is_under_confident(found: Confidence, before: ConfidenceProfile) -> bool:
    """Whether the mean margin is below that of the same classes before, beyond what the sample size explains."""
    spread = histogram_spread(np.array(before.margin_counts))
    noise = NORMAL_99 * spread * (1.0 / found.rows + 1.0 / max(1, before.rows)) ** 0.5
    return bool(found.margin < (found.margin_before or 0.0) - LOST_MARGIN - noise)


def _is_one_class(counts: Ints, counts_before: Ints) -> bool:
    """Whether one class has taken the mass: its share has risen, or far fewer classes are left."""
    rows, rows_before = int(counts.sum()), int(counts_before.sum())
    if not rows or not rows_before:
        return False
    largest, largest_before = _largest_share(counts), _largest_share(counts_before)
    noise = share_noise(largest_before, rows, rows_before)
    return largest > largest_before + GAINED_SHARE + noise or _effective(counts) < 0.6 * _effective(counts_before)


def _is_constant(found: Confidence, layout: Layout, cells: Ints, top1_before: Ints) -> bool:
    """Whether the answers carry a quarter of what they should, or nearly all name one class equally surely."""
    lost = found.collapse_index if found.beyond_mix is None else found.beyond_mix
    top1, classes = layout.part(cells, "top1"), layout.part(cells, "class")
    narrow = histogram_spread(top1) < CONSTANT_SPREAD * histogram_spread(top1_before)
    modal = _largest_share(top1) > MODAL and _largest_share(top1_before) < MODAL_BEFORE
    return (lost is not None and lost > 0.75) or ((narrow or modal) and _largest_share(classes) > MODAL)


def _largest_share(counts: Ints) -> float:
    return float(counts.max(initial=0) / max(1, counts.sum()))
