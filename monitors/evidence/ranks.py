"""Confidence given the answered class: where a figure lies among the reference's answers of the same class.

Classes differ in how sure a model is of them. Ranked within its class, confidence stays what it was when only the mix
of classes changes, so that a benign change of traffic is no evidence about confidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from monitors.evidence.grid import LEVELS

__all__ = ["ANSWER_SLACK", "RANK_STEPS", "ClassRanks"]

ANSWER_SLACK = 4e-6
"""How far the float32 answers to one row may be apart: the order of their sums follows the size of the batch."""

LEAST_ROWS = 200
RANK_STEPS = len(LEVELS) + 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ClassRanks:
    """Ranks of several figures of a row within its class.

    Parameters
    ----------
    edges_kem : (k, e, m) float64
        Rising edges of each class and figure: the reference's least value, quantiles, just above the largest.

    Examples
    --------
    >>> figures, labels = np.random.default_rng(0).random((4000, 1)), np.arange(4000) % 2
    >>> ranks = ClassRanks.fit(figures + labels[:, None], labels, 2)
    >>> ranks.of(np.array([[0.5], [1.5], [0.5]]), np.array([0, 1, 1])).ravel().tolist()
    [10.0, 10.0, 0.0]
    """

    edges_kem: Floats
    _edges_kme: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_edges_kme", np.ascontiguousarray(self.edges_kem.transpose(0, 2, 1)))

    @classmethod
    def fit(cls, figures_rm: Floats, labels_r: npt.NDArray[np.integer], classes: int) -> ClassRanks:
        """Fit on reference rows; a class with fewer than 200 of them is ranked among all rows."""
        finite_r = np.isfinite(figures_rm).all(axis=1)
        whole_em = _edges(figures_rm[finite_r])
        of_class = [figures_rm[finite_r & (labels_r == k)] for k in range(classes)]
        return cls(np.stack([_edges(rows_rm) if len(rows_rm) >= LEAST_ROWS else whole_em for rows_rm in of_class]))

    def of(self, figures_nm: Floats, labels_n: npt.NDArray[np.integer]) -> Floats:
        """Return how many edges of its class each figure has reached: (n, m) float64, NaN where there is no class."""
        known_n = (labels_n >= 0) & (labels_n < len(self.edges_kem))
        reached = figures_nm[:, :, None] >= self._edges_kme.take(labels_n, axis=0, mode="clip")
        reached_nm = np.add.reduce(reached.view(np.int8), axis=2, dtype=np.int8).astype(np.float64)
        np.copyto(reached_nm, np.nan, where=np.isnan(figures_nm) | ~known_n[:, None])
        return np.asarray(reached_nm)


def _edges(figures_rm: Floats) -> Floats:
    if not len(figures_rm):
        return np.zeros((RANK_STEPS, figures_rm.shape[1]))
    inner_em = np.quantile(figures_rm, LEVELS, axis=0, method="inverted_cdf")
    below_em = np.concatenate([figures_rm.min(axis=0)[None], inner_em]) - ANSWER_SLACK
    return np.concatenate([below_em, np.nextafter(figures_rm.max(axis=0)[None] + ANSWER_SLACK, np.inf)])
