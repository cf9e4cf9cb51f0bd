"""Repeated output: a version that mostly gives the same answer, whatever it is asked.

A run of one answer ends with the first row that is answered otherwise. This rule looks at the newest W requests, and
is broken when r of them have the same answer, bit by bit, and at least half of those were about different inputs.

An answer with a share m of the reference's rows has r of W independent ones with a chance of at most
exp(-W kl(r / W, m)) (Chernoff), all answers together at most 1 / m times that: the bound grows faster than the share
as long as m <= (r - 1) / (W - 1). With dependence phi, phi requests count as one. Answers that repeat by nature
(classes without probabilities, scores that saturate) have a large m, so that r is near W, or beyond it: then the rule
is off.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from operator import itemgetter

__all__ = ["WINDOW", "RepeatedOutputs", "repeats_needed"]

WINDOW = 400
LOOK_EVERY = 64


def repeats_needed(share: float, phi: float, nats: float) -> float:
    """Return how many of ``WINDOW`` requests must have the same answer to be no chance; infinite where none suffices.

    Parameters
    ----------
    share
        Largest share that one answer can have.
    phi
        Requests that count as one.
    nats
        Logarithm of how rare the rule must be.

    Examples
    --------
    >>> repeats_needed(0.1, 1.0, 30.0), repeats_needed(0.6, 1.0, 30.0), repeats_needed(0.99, 1.0, 30.0)
    (200, 314, inf)
    """
    if not 0.0 < share < 1.0:
        return math.inf
    enough = phi * (nats - math.log(share)) / WINDOW
    least = max(WINDOW // 2, math.ceil(share * WINDOW) + 1)
    return next((r for r in range(least, WINDOW + 1) if _divergence(r / WINDOW, share) >= enough), math.inf)


class RepeatedOutputs:
    """The newest answers of one worker.

    Parameters
    ----------
    needed
        How many of them must be the same.

    Notes
    -----
    Memory: two numbers for each of 400 requests. Cost: a few dictionary steps a request; once in 64, O(400) at most.
    """

    def __init__(self, needed: float) -> None:
        self.needed = needed
        self.repeats = self.inputs = 0
        self._window: deque[tuple[int, int]] = deque()
        self._counts: Counter[int] = Counter()

    @property
    def is_broken(self) -> bool:
        """Whether the answer hardly depends on the input."""
        return self.repeats >= self.needed and 2 * self.inputs >= self.repeats

    def take(self, marks: Iterable[tuple[int, int]]) -> None:
        """Follow the marks of input and answer of each request; the rule stands at its worst within the block."""
        worst = 0, 0
        for i, pair in enumerate(marks, 1):
            self._window.append(pair)
            self._counts[pair[1]] += 1
            if len(self._window) > WINDOW:
                self._forget(self._window.popleft()[1])
            if i % LOOK_EVERY == 0:
                worst = max(worst, self._look())
        self.repeats, self.inputs = max(worst, self._look())

    def _forget(self, answer: int) -> None:
        self._counts[answer] -= 1
        if not self._counts[answer]:
            del self._counts[answer]

    def _look(self) -> tuple[int, int]:
        """Return how often the commonest answer came, and about how many inputs if that is too often."""
        answer, repeats = max(self._counts.items(), key=itemgetter(1), default=(0, 0))
        if repeats < self.needed:
            return 0, 0
        return repeats, len({asked for asked, answered in self._window if answered == answer})


def _divergence(found: float, share: float) -> float:
    """Return the relative entropy of two coins, in nats."""
    rest = 0.0 if found == 1.0 else (1.0 - found) * math.log((1.0 - found) / (1.0 - share))
    return found * math.log(found / share) + rest
