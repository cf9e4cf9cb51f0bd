"""What a trial counts: integers that add up, block by block, in any order.

The unit is the routing key, since routing is sticky: requests of one key fail, wait and answer alike. A request that
came without a key is a key of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from monitors.trials.quantiles import LATENCY_EDGES_S

__all__ = ["CLASS_CELLS", "SCORE_CELLS", "ArmCounts", "TrialCounts"]

CLASS_CELLS = 64
SCORE_CELLS = 512

Ints = npt.NDArray[np.int64]


def _zeros(cells: int) -> Ints:
    return np.zeros(cells, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ArmCounts:
    """One arm over some blocks of one stage.

    Parameters
    ----------
    appeared
        Keys that appeared for the first time in the whole rollout, on this arm.
    keys
        Keys that appeared for the first time in this stage, on this arm.
    first_failed
        Those of them whose first request failed.
    failed
        Keys that failed for the first time in this stage, at their first request or later. Of a candidate, only where
        stable did not fail the same request.
    latency_b, own_latency_b, classes_b, scores_b : int64
        Answered first requests of keys: by duration, by what of it the host is not to blame for, answered class, and
        confidence or value.
    """

    appeared: int = 0
    keys: int = 0
    first_failed: int = 0
    failed: int = 0
    latency_b: Ints = field(default_factory=lambda: _zeros(len(LATENCY_EDGES_S) + 1))
    own_latency_b: Ints = field(default_factory=lambda: _zeros(len(LATENCY_EDGES_S) + 1))
    classes_b: Ints = field(default_factory=lambda: _zeros(CLASS_CELLS))
    scores_b: Ints = field(default_factory=lambda: _zeros(SCORE_CELLS))

    def __add__(self, other: ArmCounts) -> ArmCounts:
        return ArmCounts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class TrialCounts:
    """Both arms, and what a shadow was compared on.

    ``compared`` counts requests that the candidate repeated as a shadow, ``disagreed`` those that it answered otherwise
    or failed, ``dropped`` those that never reached it.
    """

    candidate: ArmCounts = field(default_factory=ArmCounts)
    stable: ArmCounts = field(default_factory=ArmCounts)
    compared: int = 0
    disagreed: int = 0
    dropped: int = 0

    def __add__(self, other: TrialCounts) -> TrialCounts:
        return TrialCounts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))
