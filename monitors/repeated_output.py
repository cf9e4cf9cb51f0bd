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

import numpy as np
import numpy.typing as npt

__all__ = ["WINDOW", "RepeatedOutputs", "repeats_needed"]

WINDOW = 400
LOOK_EVERY = 64

Marks = npt.NDArray[np.int64]


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
    Memory: two numbers for each of 400 requests. Cost: once in 64 requests and at the end of a block, 400 numbers are
    sorted.
    """

    def __init__(self, needed: float) -> None:
        self.needed = needed
        self.repeats = self.inputs = 0
        self._asked_w = self._answered_w = np.zeros(0, dtype=np.int64)

    @property
    def is_broken(self) -> bool:
        """Whether the answer hardly depends on the input."""
        return self.repeats >= self.needed and 2 * self.inputs >= self.repeats

    def take(self, asked_n: Marks, answered_n: Marks) -> None:
        """Follow the marks of input and answer of each request; the rule stands at its worst within the block."""
        asked_n, answered_n = np.append(self._asked_w, asked_n), np.append(self._answered_w, answered_n)
        ends = [*range(len(self._asked_w) + LOOK_EVERY, len(asked_n), LOOK_EVERY), len(asked_n)]
        windows = [slice(max(0, end - WINDOW), end) for end in ends]
        self.repeats, self.inputs = max(self._look(asked_n[window], answered_n[window]) for window in windows)
        self._asked_w, self._answered_w = asked_n[windows[-1]], answered_n[windows[-1]]

    def _look(self, asked_w: Marks, answered_w: Marks) -> tuple[int, int]:
        """Return how often the commonest answer came, and about how many inputs if that is too often."""
        sorted_w, apart = np.sort(answered_w), int(self.needed) - 1
        often = sorted_w[apart:][sorted_w[apart:] == sorted_w[: max(0, len(sorted_w) - apart)]]
        about = [asked_w[answered_w == answer] for answer in set(often.tolist())]
        return max(((len(asked), len(set(asked.tolist()))) for asked in about), default=(0, 0))


def _divergence(found: float, share: float) -> float:
    """Return the relative entropy of two coins, in nats."""
    rest = 0.0 if found == 1.0 else (1.0 - found) * math.log((1.0 - found) / (1.0 - share))
    return found * math.log(found / share) + rest
