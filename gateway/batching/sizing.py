"""How large the batches of a version should be, and which of them may run on the event loop; learned from every run."""

from __future__ import annotations

from gateway.batching.cost import CostModel
from gateway.engine.timing import RateCurve, worth

__all__ = ["BatchSizer"]

_BACKS_OFF = 0.9
_ROOM = 0.9
_BEYOND_DOUBT = 1.1
_STEPS = 64
_BACK_ON_LOOP = 0.7
_STAYS_ON_LOOP = 0.9
_REVIEW_RUNS = 16
_PROBE_RUNS = 64
_OVERRUNS = 3
_AWAY_RUNS = 64


class BatchSizer:
    """The best batch of one version in one role, and the rows that may run on the loop.

    The best batch is the one with the most rows a second, where each doubling must earn 3 %; it begins at the curve's.
    A full batch makes the limit grow by a fixed step while larger ones are expected to be worth more, and shrink by a
    tenth while smaller ones are. One full batch in 64 may be twice as large, to see whether that is still so. With a
    target, runs that are expected to be longer shrink it by a tenth too, and it grows to nine tenths of the target.

    Expected means by the cost model, in which one disturbed run counts for little.

    Parameters
    ----------
    curve
        What the warm-up measured.
    most
        Rows that a batch may have at most; ``None`` where requests must run one by one.
    on_loop_s
        Longest run on the event loop; 0 for never.
    target_s
        Longest run that batching should make; 0 for no target. A single request is not cut, however long it takes.

    Attributes
    ----------
    limit : int
        Rows at which a batch is full, 1 to ``most``.
    inline_rows : int
        Rows of a batch that may run on the loop; 0 for never.
    cost : CostModel
        What runs cost at the moment.

    Notes
    -----
    Pure: no clock, no loop. Not safe from several threads. ``observe`` takes about a microsecond.

    Examples
    --------
    >>> sizer = BatchSizer(RateCurve.of([(1, 2e-3), (32, 9e-3), (128, 34e-3)]), most=128, target_s=0.01)
    >>> sizer.limit, sizer.inline_rows
    (32, 0)
    >>> for _ in range(100): sizer.observe(sizer.limit, 0.02, was_full=True)
    >>> sizer.limit
    1
    """

    __slots__ = (
        "_best",
        "_far_too_long_s",
        "_full_runs",
        "_most",
        "_on_loop_s",
        "_overruns",
        "_review_in",
        "_step",
        "_target_s",
        "cost",
        "inline_rows",
        "limit",
    )

    def __init__(self, curve: RateCurve, *, most: int | None, on_loop_s: float = 0.0, target_s: float = 0.0) -> None:
        self._most = most or 1
        self._on_loop_s, self._target_s = on_loop_s, target_s
        self._far_too_long_s = 2 * on_loop_s
        self._step = max(1, self._most // _STEPS)
        self._full_runs, self._overruns, self._review_in = 0, 0, _REVIEW_RUNS
        self.cost = CostModel(curve, self._most)
        self._best = min(curve.best_rows, self._most)
        if target_s:
            self._best = max(1, min(self._best, self.cost.rows_within(_ROOM * target_s, self._most)))
        self.inline_rows = self.cost.rows_within(on_loop_s, self._most) if on_loop_s else 0
        self.limit = self._limit()

    def observe(self, rows: int, seconds: float, was_full: bool) -> None:
        """Take a run into account.

        Parameters
        ----------
        seconds
            Of the run itself, without the wait for a thread.
        was_full
            Whether a request that waited did not fit into the batch.
        """
        self.cost.observe(rows, seconds)
        if was_full or self._target_s or self.limit > self._best:
            self._adapt(rows, was_full)
        if seconds > self._far_too_long_s and rows <= self.inline_rows:
            self._overrun()
        elif self._on_loop_s:
            self._overruns = 0
            self._review_in -= 1
            if not self._review_in:
                self._review()

    def _adapt(self, rows: int, was_full: bool) -> None:
        self._best = self._next_best(rows, was_full)
        self.limit = self._limit()
        self._full_runs += was_full
        if was_full and not self._full_runs % _PROBE_RUNS and self.limit == self._best:
            self.limit = self._probe()

    def _probe(self) -> int:
        """Return twice the best batch, for one run: what is thought of a size may be old, or was measured badly."""
        double = min(self._most, 2 * self._best)
        is_within = not self._target_s or self.cost.estimate(double) <= self._target_s
        return double if is_within else self._best

    def _next_best(self, rows: int, was_full: bool) -> int:
        best, target_s, estimate = self._best, self._target_s, self.cost.estimate
        if target_s and rows <= best and estimate(rows) > target_s:
            return max(1, int(rows * _BACKS_OFF))
        if not was_full or self.limit < best:  # larger batches leave the loop, which is not to be learned here
            return best
        here, fewer = self._worth(best), max(1, int(best * _BACKS_OFF))
        if any(self._worth(best >> k) > _BEYOND_DOUBT * here for k in range(1, best.bit_length())):
            return fewer  # though the next smaller size may be no better: this is the far side of a cliff
        more = min(self._most, best + self._step)
        if more > best and self._worth(more) > here and not (target_s and estimate(more) > _ROOM * target_s):
            return more
        return fewer if self._worth(fewer) > here else best

    def _worth(self, rows: int) -> float:
        return worth(rows, self.cost.estimate(rows))

    def _overrun(self) -> None:
        """Leave the loop at once where several runs on it in a row were far too long, and stay away for a while."""
        self._overruns += 1
        if self._overruns == _OVERRUNS:
            self._allow(0)
            self._review_in = _AWAY_RUNS

    def _review(self) -> None:
        """Allow what fits the loop; a version that had left comes back only when it fits with room to spare."""
        self._review_in = _REVIEW_RUNS
        is_back = self.inline_rows or self.cost.rows_within(_BACK_ON_LOOP * self._on_loop_s, 1)
        self._allow(self.cost.rows_within(self._on_loop_s, self._most) if is_back else 0)

    def _allow(self, inline_rows: int) -> None:
        self._overruns = 0
        if inline_rows != self.inline_rows:
            self.inline_rows = inline_rows
            self.limit = self._limit()

    def _limit(self) -> int:
        """Return the best batch, or the largest on the loop where that gives almost as many rows a second."""
        inline, best, estimate = self.inline_rows, self._best, self.cost.estimate
        if 0 < inline < best and inline / estimate(inline) >= _STAYS_ON_LOOP * best / estimate(best):
            return inline
        return best
