"""Evidence from counts that events fall on one arm more often than its exposure explains.

An event falls on the candidate with the probability of its share ``p`` of what is exposed. If it is ``r`` times as
prone, that becomes ``p r / (p r + 1 - p)``. The ratio of the two, over all events, is a martingale while both arms are
alike, whatever the weights do meanwhile and however often anybody looks.

Where a key is counted at its first failure and keys were assigned to the arms by a hash that knows nothing of them,
``p`` is the weight, whatever the rate of failures, and however requests of a key depend on each other. By the keys at
risk (seen, not yet failed) this is the anytime-valid logrank test, which holds where old and new keys fail alike: in an
outage most that fail are newcomers, and come by the weight. The larger of both shares errs to the safe side. Several
events of one block that are drawn without replacement are less dispersed than the binomial law that the formula
assumes, so the block form does too (Hoeffding).

References
----------
Lindon, Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022. ter Schure, Pérez-Ortiz, Ly,
Grünwald, "The anytime-valid logrank test", New England Journal of Statistics in Data Science, 2024. Hoeffding,
"Probability inequalities for sums of bounded random variables", JASA 1963, theorem 4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["RISE", "STRAY", "RatioEvidence"]

Floats = npt.NDArray[np.float64]

RISE = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Alternatives of a candidate that fails more often, as ratios to what is tolerated."""

STRAY = tuple(float(np.exp(sign * size)) for size in (0.1, 0.2, 0.4, 0.8, 1.6) for sign in (1, -1))
"""Alternatives of a split that does not follow its weight, in either direction, as ratios."""


class RatioEvidence:
    """An e-process, the mean over a grid of ratios, for one trial or for many at once.

    Parameters
    ----------
    ratios
        Alternatives, as multiples of ``tolerated``.
    tolerated
        Largest ratio that counts as alike.
    replicas
        Leading axes of the state: ``()`` for one trial, ``(n,)`` for n simulated ones.

    Notes
    -----
    State: one number an alternative. O(alternatives) a block.

    Examples
    --------
    >>> evidence = RatioEvidence(RISE)
    >>> for _ in range(4):
    ...     evidence.update(candidate=1, stable=0, share=0.05)
    >>> round(float(evidence.nats), 1)
    8.3
    """

    def __init__(self, ratios: tuple[float, ...], *, tolerated: float = 1.0, replicas: tuple[int, ...] = ()) -> None:
        if tolerated <= 0 or not ratios or min(ratios) <= 0:
            raise ValueError(f"ratios are positive, not {tolerated} and {ratios}")
        self._tolerated = tolerated
        self._ratios_h = tolerated * np.asarray(ratios, np.float64)
        self._gain_h = np.log(np.asarray(ratios, np.float64))
        self.log_ratios_h: Floats = np.zeros((*replicas, len(ratios)))

    def update(self, candidate: npt.ArrayLike, stable: npt.ArrayLike, share: npt.ArrayLike) -> None:
        """Take the events of one block and the candidate's share, in [0, 1], of the exposure that they came from."""
        x, y, p = (np.asarray(value, np.float64)[..., None] for value in (candidate, stable, share))
        cost_h = np.log1p(p * (self._ratios_h - 1.0)) - np.log1p(p * (self._tolerated - 1.0))
        self.log_ratios_h = self.log_ratios_h + x * self._gain_h - (x + y) * cost_h

    @property
    def is_empty(self) -> bool:
        """Whether no event has come yet, in any replica."""
        return not self.log_ratios_h.any()

    @property
    def nats(self) -> Floats:
        """Logarithm of the e-process: evidence that the candidate's ratio is not within what is tolerated."""
        mean: Floats = np.logaddexp.reduce(self.log_ratios_h, axis=-1) - np.log(self.log_ratios_h.shape[-1])
        return mean
