"""A worker's tripwire: evidence, from its own traffic alone, that a canary fails what stable would not.

It is the mean of two e-processes, so it holds at every time at once. The first compares the arms. Whichever key is the
next to fail for the first time, a hash that knows nothing of it has given it to the canary with the probability of the
weight, if the versions are alike; so it needs no count of the requests that went well, of which heavy keys send most.
The second looks at the canary's keys by themselves. If an equal version fails the first request of a key with
probability q, then it fails it while stable answers with q (1 - q), which is at most 1/4 whatever q is. The first finds
a canary that fails more often than stable; the second one that fails nearly all, also where it gets all of the traffic
and there is no second arm.

Keys are told apart by cells of their hash, each of which belongs to one arm. Keys that share a cell count as one.

References
----------
Lindon, Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022. Waudby-Smith, Ramdas, "Estimating
means of bounded random variables by betting", Journal of the Royal Statistical Society B, 2024.
"""

from __future__ import annotations

import numpy as np

from monitors.trials.budget import tripwire_level
from monitors.trials.ratio import RISE, Floats, RatioEvidence

__all__ = ["KeyTripwire"]

_BUCKETS = 10_000
_CELLS = 32 * _BUCKETS
_UNSEEN, _ONCE, _AGAIN, _FAILED = range(4)
_MOST_MENDED = 0.25
_MENDED_H: Floats = np.array([0.4, 0.6, 0.8, 0.98])
_GAIN_H: Floats = np.log(_MENDED_H / _MOST_MENDED)
_COST_H: Floats = np.log1p(-_MENDED_H) - np.log1p(-_MOST_MENDED)


class KeyTripwire:
    """The tripwire of one canary on one worker (see ``monitors.ports.Tripwire``).

    Parameters
    ----------
    workers
        How many workers share the tripwires' part of a rollout's error probability.

    Notes
    -----
    Memory: one byte for each of 320,000 cells. ``see`` is O(1); ``fail`` takes a few numpy calls, once a cell.

    Examples
    --------
    >>> tripwire = KeyTripwire(workers=4)
    >>> tripwire.reset(500)
    >>> for key in range(6):
    ...     tripwire.see(key)
    >>> [tripwire.fail(key, by_candidate=True) for key in (0, 0, 0, 1, 2, 3, 4)]
    [False, False, False, False, False, False, True]
    """

    def __init__(self, workers: int) -> None:
        self._workers, self._weight_bp = workers, 0
        self._beginnings = 0
        self._begin()

    def _begin(self) -> None:
        self._cells = bytearray(_CELLS)
        self._seen = self._mended = 0
        self._between = RatioEvidence(RISE)
        self._level = tripwire_level(self._workers, self._beginnings)

    @property
    def nats(self) -> float:
        """Logarithm of the evidence against the canary."""
        spared = self._seen - self._mended
        alone = float(np.logaddexp.reduce(self._mended * _GAIN_H + spared * _COST_H)) - np.log(len(_GAIN_H))
        return float(np.logaddexp(float(self._between.nats), alone) - np.log(2.0))

    def see(self, key_hash: int) -> None:
        """Take a request that was given to the canary."""
        at = key_hash % _CELLS
        state = self._cells[at]
        if state == _UNSEEN:
            self._cells[at] = _ONCE
            self._seen += 1
        elif state == _ONCE:
            self._cells[at] = _AGAIN

    def fail(self, key_hash: int, *, by_candidate: bool) -> bool:
        """Take a failure, of the canary only one that stable did not repeat; return whether the canary is to go."""
        at = key_hash % _CELLS
        state = self._cells[at]
        is_of_another_route = by_candidate != (at % _BUCKETS < self._weight_bp) or (by_candidate and state == _UNSEEN)
        if state == _FAILED or is_of_another_route:
            return False
        self._cells[at] = _FAILED
        self._between.update(by_candidate, not by_candidate, self._weight_bp / _BUCKETS)
        self._mended += state == _ONCE
        return by_candidate and self.nats >= self._level

    def reset(self, weight_bp: int) -> None:
        """Begin anew under a weight, with less of the error probability to spend unless nothing was seen."""
        self._weight_bp = weight_bp
        if self._seen or not self._between.is_empty:
            self._beginnings += 1
            self._begin()
