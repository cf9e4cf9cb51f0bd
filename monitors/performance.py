"""Estimated performance: how many answers are right, as far as that can be told without labels.

Three methods look at the same window from different sides, each a weighted count of its summary, so that merging over
workers is addition. They err together when the relation of input and truth changes: no method without labels sees that.
Their spread says how far they disagree. Shown only; nothing pages on an estimate.

References
----------
J. Bialek, W. Kuberski, N. Perrakis, A. Bifet, "Estimating model performance under covariate shift without labels",
arXiv 2401.08348, 2024 (CBPE: the mean calibrated confidence).
S. Garg, S. Balakrishnan, Z. Lipton, B. Neyshabur, H. Sedghi, "Leveraging unlabeled data to predict out-of-distribution
performance", ICLR, 2022 (ATC: the share of answers that are surer than a threshold).
Z. Lipton, Y.-X. Wang, A. Smola, "Detecting and correcting for label shift with black box predictors", ICML, 2018 (BBSE:
the class shares that explain the answers, when only these have changed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.effects import NORMAL_99
from monitors.labelled import MAXIMUM_CLASSES, PerformanceProfile
from monitors.summary import Layout

__all__ = ["METHODS", "Estimate", "LabelShare", "Method", "Performance", "estimate_performance"]

Method = Literal["cbpe", "atc", "bbse"]
METHODS: tuple[Method, ...] = ("cbpe", "atc", "bbse")
LEAST_SINGULAR_VALUE = 0.01
"""Below it the confusion matrix cannot be inverted without blowing up the noise of the class shares."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Accuracy by one method; ``None`` where it cannot be told, and ``why`` says why.

    ``noise``: how far from the reference's accuracy 99 % of windows of this size stay when nothing has changed.
    """

    method: Method
    accuracy: float | None
    noise: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class LabelShare:
    """Estimated share of a class among the true labels, and its share among the reference's."""

    name: str
    share: float
    before: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Estimates over one window; ``accuracy_before`` is that of the labelled reference, if any."""

    accuracy_before: float | None
    estimates: tuple[Estimate, ...]
    labels: tuple[LabelShare, ...] = ()

    @property
    def spread(self) -> float | None:
        """Largest difference of two estimates; ``None`` with fewer than two."""
        told = [estimate.accuracy for estimate in self.estimates if estimate.accuracy is not None]
        return max(told) - min(told) if len(told) > 1 else None


def estimate_performance(layout: Layout, cells: Ints) -> Performance:
    """Estimate the accuracy of a window.

    Parameters
    ----------
    layout
        Layout of the summary.
    cells : (c,) int64
        Pooled cells of the window.

    Notes
    -----
    Cost: O(k^3) for k classes, at most 64.
    """
    if layout.output.kind != "classification":
        return _nothing(f"answers of kind {layout.output.kind} are neither right nor wrong")
    known = layout.profile.output.performance if layout.profile else None
    if known is None:
        return _nothing("the reference has no labels; weir profile takes a column of them")
    confusion = _Confusion.of(known)
    bbse = confusion if isinstance(confusion, str) else confusion.estimate(layout.part(cells, "class")[:-1])
    shares = () if isinstance(confusion, str) else _labels(layout, confusion, layout.part(cells, "class")[:-1])
    told = [*_by_certainty(layout, cells, known), Estimate("bbse", None, None, bbse) if isinstance(bbse, str) else bbse]
    return Performance(known.accuracy, tuple(told), shares)


def _nothing(why: str) -> Performance:
    return Performance(None, tuple(Estimate(method, None, None, why) for method in METHODS))


def _by_certainty(layout: Layout, cells: Ints, known: PerformanceProfile) -> list[Estimate]:
    if known.certainty is None:
        why = "the version answers without probabilities"
        return [Estimate("cbpe", None, None, why), Estimate("atc", None, None, why)]
    counts_b = layout.part(cells, "certainty")
    rows = int(counts_b.sum())
    if not rows:
        why = "no answer of the window has usable probabilities"
        return [Estimate("cbpe", None, None, why), Estimate("atc", None, None, why)]
    below, at = layout.part(cells, "surer").tolist()
    surer = np.array([below, at, rows - below - at])
    chances_b, before_b = np.array(known.certainty.right), np.array(known.certainty.counts)
    right = round(known.accuracy * known.rows)
    return [
        _weighted("cbpe", chances_b, counts_b, before_b),
        _weighted("atc", np.array([1.0, known.certainty.tie, 0.0]), surer, np.array([right, 0, known.rows - right])),
    ]


def _weighted(method: Method, weights_b: Floats, counts_b: Ints, before_b: Ints) -> Estimate:
    """Return the mean of the weights over the rows, with what it varies by on unchanged data."""
    rows, reference_rows = int(counts_b.sum()), int(before_b.sum())
    mean = float(before_b @ weights_b) / reference_rows
    variance = max(0.0, float(before_b @ weights_b**2) / reference_rows - mean**2)
    noise = NORMAL_99 * (variance * (1.0 / rows + 1.0 / reference_rows)) ** 0.5
    return Estimate(method, min(1.0, max(0.0, float(counts_b @ weights_b) / rows)), noise)


@dataclass(frozen=True, slots=True, eq=False)
class _Confusion:
    """Joint shares of answers and truths on the reference, and their inverse."""

    counts_kk: Ints
    inverse_kk: Floats

    @classmethod
    def of(cls, known: PerformanceProfile) -> _Confusion | str:
        """Return it, or why it is of no use."""
        if not known.confusion:
            return f"more than {MAXIMUM_CLASSES} classes"
        counts_kk = np.array(known.confusion, dtype=np.int64)
        joint_kk = counts_kk / counts_kk.sum()
        if np.linalg.svd(joint_kk, compute_uv=False)[-1] < LEAST_SINGULAR_VALUE / len(joint_kk):
            return "the reference's answers do not tell the classes apart, or a class has no label there"
        return cls(counts_kk, np.linalg.inv(joint_kk))

    def estimate(self, counts_k: Ints) -> Estimate | str:
        """Return the accuracy under label shift, or why there is none."""
        if not counts_k.sum():
            return "no answer of the window names a class"
        weights_k = self.inverse_kk.T @ (np.diag(self.counts_kk) / self.counts_kk.sum())
        return _weighted("bbse", weights_k, counts_k, self.counts_kk.sum(axis=1))

    def shares(self, counts_k: Ints) -> Floats:
        """Return the class shares of the truth that explain the answers; none is negative."""
        before_k = self.counts_kk.sum(axis=0) / self.counts_kk.sum()
        shares_k = np.maximum(0.0, before_k * (self.inverse_kk @ (counts_k / counts_k.sum())))
        return np.asarray(shares_k / shares_k.sum())


def _labels(layout: Layout, confusion: _Confusion, counts_k: Ints) -> tuple[LabelShare, ...]:
    if not counts_k.sum():
        return ()
    before_k = confusion.counts_kk.sum(axis=0) / confusion.counts_kk.sum()
    shares = zip(layout.output.classes, confusion.shares(counts_k).tolist(), before_k.tolist(), strict=True)
    return tuple(LabelShare(*each) for each in shares)
