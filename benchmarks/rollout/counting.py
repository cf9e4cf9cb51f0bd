"""From simulated requests to the counts of a trial, each key once, as the watch counts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.rollout.traffic import Block
from monitors.trials.counts import CLASS_CELLS, SCORE_CELLS, ArmCounts, TrialCounts
from monitors.trials.predictions import confidence_cells
from monitors.trials.quantiles import latency_histogram

__all__ = ["KeyBook"]

Bools = npt.NDArray[np.bool_]


class KeyBook:
    """Which keys have appeared in the rollout, and which were seen and failed in the stage, on each arm."""

    def __init__(self, keys: int, slow_s: float) -> None:
        self._slow_s = slow_s
        self._known: Bools = np.zeros(keys, np.bool_)
        self.next_stage()

    def next_stage(self) -> None:
        """Begin a stage: its keys count anew, for all but the split."""
        empty = np.zeros_like(self._known)
        self._seen, self._failed = (empty.copy(), empty.copy()), (empty.copy(), empty.copy())

    def count(self, block: Block, *, is_baking: bool = False) -> TrialCounts:
        """Return the counts of a block; in the bake all requests are the candidate's."""
        if is_baking:
            return TrialCounts(candidate=self._arm(block, 1, np.ones(len(block.keys_n), np.bool_)))
        mine, theirs = (self._arm(block, arm, block.is_canary_n == bool(arm)) for arm in (1, 0))
        return TrialCounts(candidate=mine, stable=theirs)

    def _arm(self, block: Block, arm: int, is_mine_n: Bools) -> ArmCounts:
        at = np.flatnonzero(is_mine_n)
        keys_n, durations_n = block.keys_n[at], block.durations_n[at]
        slow_n = ~block.failed_n[at] & (durations_n >= self._slow_s)
        failed_n = block.failed_n[at] | slow_n
        unique, first = np.unique(keys_n, return_index=True)
        new = ~self._seen[arm][unique]
        fresh = first[new]
        self._seen[arm][unique] = True
        appeared = int(np.count_nonzero(~self._known[unique]))
        self._known[unique] = True
        counted = np.unique(keys_n[failed_n & ~block.repeated_n[at]])
        newly_failed = counted[~self._failed[arm][counted]]
        self._failed[arm][newly_failed] = True
        answered = fresh[~block.failed_n[at][fresh]]
        latency_b = latency_histogram(durations_n[answered])
        return ArmCounts(
            appeared=appeared,
            keys=len(fresh),
            first_failed=int(np.count_nonzero(failed_n[fresh])),
            failed=len(newly_failed),
            latency_b=latency_b,
            own_latency_b=latency_b,
            classes_b=np.bincount(block.classes_n[at][answered], minlength=CLASS_CELLS),
            scores_b=np.bincount(confidence_cells(block.scores_n[at][answered]), minlength=SCORE_CELLS),
        )
