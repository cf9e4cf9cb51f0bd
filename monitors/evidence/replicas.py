"""Replicas: the monitor's decision for many streams at once, which is what a simulation of weeks needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from monitors.evidence.budget import Budget
from monitors.evidence.detector import EDetector
from monitors.evidence.model import EvidenceModel

__all__ = ["Replicas"]

Ints = npt.NDArray[np.int64]


class Replicas:
    """So many monitors of one model under one budget, each with a stream of its own.

    Parameters
    ----------
    model
        The fitted part.
    budget
        Gives the thresholds.
    replicas
        How many.

    Notes
    -----
    The same table, detector, weights and thresholds as in ``EvidenceMonitor``; a test holds one against the other.
    Cost: about 15 microseconds a summary and replica at 11 channels, 50 at 39.
    """

    def __init__(self, model: EvidenceModel, budget: Budget, replicas: int) -> None:
        self._table = model.table
        self._detector = EDetector(model.table.weights_ck, (replicas,))
        thresholds, weights_c = budget.thresholds(model.causes), model.channel_weights()
        causes = np.array([channel.cause for channel in model.channels.listed])
        self._shares_cg = np.column_stack(
            [np.where(causes == cause, weights_c, 0.0) / thresholds[cause] for cause in model.causes]
        )

    def step(self, counts_rcb: Ints) -> Ints:
        """Take a summary of each replica; return how many causes page in each, which then restart: (replicas,).

        Parameters
        ----------
        counts_rcb : (replicas, c, b) int64
        """
        self._detector.update(self._table.log_ratios(counts_rcb))
        pages_rg = self._detector.sums_c() @ self._shares_cg >= 1.0
        if pages_rg.any():
            self._detector.reset_channels(pages_rg @ (self._shares_cg > 0.0).T)
        return np.asarray(pages_rg.sum(axis=1))
