"""Rules over counts: what needs no statistics, and pages in the batch in which it is first seen.

A tenth of a model's budget is theirs. Each is about something that the reference never showed:

- an answer that is broken, where none of the reference's was;
- nothing but repeated rows for four times as long as at worst in the reference: a feed that stands still, of which
  evidence sees nothing where repeats count once.

They know counts and nothing else, so the library has them wherever rows are counted. Whether an answer is broken does
not depend on how rows are split into batches. How soon a feed stands still does: counts do not tell the order within a
batch, so repeats count only where a whole batch is repeats. The page never comes earlier than row by row, and fewer
than two batches later; a standstill that ends before is not seen.

What the watch of a gateway knows besides, requests, routing keys, the values themselves and their order on each worker,
is in ``monitors.rules``, whose rules stand in for these there: a feed that stands still is ``frozen`` feature by
feature.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.model import EvidenceModel

__all__ = ["Rule", "Rules"]

Rule = Literal["broken answer", "nothing new"]

BROKEN_CELL = 2
TIMES_LONGEST = 4
LEAST_REPEATS = 200

Ints = npt.NDArray[np.int64]


class Rules:
    """Watches the counts of one stream, batch by batch. State: rows of the last batches that were nothing but repeats.

    Parameters
    ----------
    model
        The fitted part.
    """

    def __init__(self, model: EvidenceModel) -> None:
        broken = [c for c, channel in enumerate(model.channels.listed) if channel.cause == "broken"]
        self._broken = [c for c in broken if not model.counts_cb[c, BROKEN_CELL]]
        self._once = np.flatnonzero(model.channels.counts_once_c)[:1].tolist()
        repeats = model.channels.repeats
        self._most_repeats = max(LEAST_REPEATS, TIMES_LONGEST * repeats.longest) if repeats else 0
        self.repeats = 0

    def take(self, counts_cb: Ints, rows: int) -> list[Rule]:
        """Take the counts of so many rows; return the rules that they break."""
        found: list[Rule] = []
        if any(counts_cb[c, BROKEN_CELL] for c in self._broken):
            found.append("broken answer")
        for c in self._once:
            self.repeats = self.repeats + rows if counts_cb[c, -1] == rows else 0
            if self.repeats >= self._most_repeats:
                found.append("nothing new")
                self.repeats = 0
        return found
