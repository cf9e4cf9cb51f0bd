"""What watches a real worker in a benchmark: the evidence of a rollout, in the same process, and an observer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.arm import Arm
from gateway.call import Call
from gateway.engine.version import ServableVersion
from gateway.errors import WeirError
from gateway.failure_feed import FailureFeed
from gateway.pipeline import FallbackReason
from gateway.tap import Tap
from monitors.records import TrialSpec
from monitors.trials.book import TrialBook

__all__ = ["Books", "Pair", "Watching"]

Pair = Mapping[tuple[str, str], ServableVersion]


class Books:
    """A channel to the evidence of several guards at once, in the same process; it takes records as they are."""

    def __init__(self, specs: Mapping[str, TrialSpec], pair: Pair) -> None:
        self._books = {name: TrialBook() for name in specs}
        self.aborted: dict[str, set[str]] = {name: set() for name in specs}
        self.keys = 0
        for name, book in self._books.items():
            book.follow([specs[name]])
            for servable in pair.values():
                book.receive(servable.info)

    def send(self, record: Any) -> bool:
        """Take a record; never full."""
        for book in self._books.values():
            book.receive(record)
        return True

    def judge(self) -> None:
        """Look at the evidence; note which gates have ever aborted, and how many keys of the canary there are."""
        for name, book in self._books.items():
            verdicts = book.judge()["m"].verdicts
            self.aborted[name] |= {verdict.gate for verdict in verdicts if verdict.result == "abort"}
            self.keys = next(verdict.samples for verdict in verdicts if verdict.gate == "errors")


class Watching:
    """The observer of a pipeline: tap and failure feed, and what this benchmark counts itself."""

    def __init__(self, tap: Tap, feed: FailureFeed) -> None:
        self._tap, self._feed = tap, feed
        self.requests: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.totals_s: dict[str, list[float]] = {"stable": [], "canary": []}
        self.sheds = self.fallbacks = 0
        self.has_tripped = False

    def answered(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
        self._tap.take(calls, rows_of)
        if calls[0].is_fallback:
            return
        arm = calls[0].arm.variant
        self.requests[arm] += len(calls)
        self.runs[arm] += 1
        self.totals_s[arm] += [call.total_s for call in calls]

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        pass

    def shed(self, reason: str, priority: int, count: int = 1) -> None:
        self.sheds += count

    def passes_over_failures(self, count: int) -> bool:
        return self._feed.passes_over(count)

    def failed(self, call: Call, arm: Arm | None, why: WeirError | FallbackReason) -> None:
        self._feed.take(call, arm, why)

    def fell_back(self, arm: Arm, reason: FallbackReason) -> None:
        self.fallbacks += 1

    def tripped(self, arm: Arm, reason: FallbackReason) -> None:
        self.has_tripped = True
