"""Rows: what channels are counted of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.records import OutputSchema

__all__ = ["TENSOR", "Rows"]

Floats = npt.NDArray[np.float64]

TENSOR = OutputSchema("tensor")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of rows and, where there are any, their answers.

    Parameters
    ----------
    values_nd : (n, d) float64
        Raw features; NaN is missing, a category is its code, -1 where the contract does not list it.
    scores_nk : (n, k) float64
        Probabilities, a regression's value, or no column.
    labels_n : (n,) integers
        Answered class; left out, it is the largest probability.
    """

    values_nd: Floats
    scores_nk: Floats | None = None
    labels_n: npt.NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.values_nd)

    def part(self, start: int, stop: int) -> Rows:
        """Return some of the rows."""
        scores_nk = None if self.scores_nk is None else self.scores_nk[start:stop]
        labels_n = None if self.labels_n is None else self.labels_n[start:stop]
        return Rows(self.values_nd[start:stop], scores_nk, labels_n)

    def answers(self) -> tuple[Floats, npt.NDArray[np.integer]]:
        """Return scores and labels, with what was left out filled in."""
        scores_nk = np.empty((len(self), 0)) if self.scores_nk is None else self.scores_nk
        if self.labels_n is not None:
            return scores_nk, self.labels_n
        if not scores_nk.shape[1]:
            return scores_nk, np.full(len(self), -1)
        return scores_nk, np.where(np.isnan(scores_nk), -1.0, scores_nk).argmax(axis=1)
