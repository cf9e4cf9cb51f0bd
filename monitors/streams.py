"""What the monitors remember of each stream: a few ticks of summaries, nothing of rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.detectors.bank import DetectorBank, DetectorChoice
from monitors.importance import EQUAL, Importance
from monitors.records import Observation, ShadowComparison, StreamInfo, StreamKey, TickSummary
from monitors.reference import ProfileInvalid, ReferenceProfile, from_json
from monitors.signals import Signals
from monitors.summary import FIXED_POINT, Layout, merge, summarise, to_fixed
from monitors.thresholds import Thresholds

__all__ = ["Agreement", "Pool", "Stream", "StreamBook", "Version"]

SPARE_TICKS = 3
"""Ticks kept beyond the window: the open one, and room for rows that arrive late."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version as announced; ``reference_error`` says why its profile is not used, ``importance`` orders drivers."""

    info: StreamInfo
    layout: Layout
    reference_error: str = ""
    importance: Importance = EQUAL

    @classmethod
    def of(cls, info: StreamInfo) -> Version:
        """Return the version with its layout; one with an unusable profile is watched without."""
        importance = Importance.of_version(info)
        try:
            profile: ReferenceProfile | None = from_json(info.reference) if info.reference else None
            return cls(info, Layout.of(info, profile), "", importance)
        except ProfileInvalid as exc:
            return cls(info, Layout.of(info, None), str(exc), importance)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Summed cells of the newest ticks of a stream.

    Its rows came between ``from_s`` and ``to_s``, Unix seconds: the first and the last of the ticks that have any.
    ``rows_until`` is the stream's ``rows_total`` as of its last tick.
    """

    layout: Layout
    rows: int
    ticks: int
    cells: npt.NDArray[np.int64]
    from_s: float
    to_s: float
    rows_until: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a shadow's answers compare with those that clients got, over one window."""

    rows: int
    ratio: float
    score_difference: float


class Stream:
    """Summaries of one stream over the newest ticks.

    Notes
    -----
    Memory: ``window_ticks + 3`` summaries, and that of ``bank``, the uncalibrated detectors. Not safe for several
    threads.
    """

    def __init__(
        self, key: StreamKey, version: Version, thresholds: Thresholds, seen_s: float, choice: DetectorChoice
    ) -> None:
        self.key = key
        self.version = version
        self.rows_total = 0
        self.late_rows = 0
        self.first_seen_s = seen_s
        self.last_row_s: float | None = None
        signals = Signals.of(version.layout, features=thresholds.feature_series)
        self.bank = DetectorBank(choice.of(key.model), signals)
        self._tick_ms = thresholds.tick_ms
        self._window_ticks = thresholds.window_ticks
        self._minimum_rows = thresholds.minimum_rows
        self._summaries: dict[int, TickSummary] = {}
        self._compared: dict[int, npt.NDArray[np.int64]] = {}

    @property
    def newest_tick_ms(self) -> int:
        """Start of the newest tick with rows, 0 before the first."""
        return max(self._summaries, default=0)

    def take(self, observation: Observation, now_s: float) -> None:
        """Add rows to their ticks; rows outside the remembered span are counted as late and dropped."""
        for start_ms, summary in summarise(self.version.layout, observation, self._tick_ms).items():
            if not self._remembers(start_ms, now_s):
                self.late_rows += summary.rows
                continue
            known = self._summaries.get(start_ms)
            self._summaries[start_ms] = merge(known, summary) if known else summary
            self.rows_total += summary.rows
            self.last_row_s = max(self.last_row_s or 0.0, min(now_s, (start_ms + self._tick_ms) / 1000.0))
        self._forget(now_s)

    def compare(self, comparison: ShadowComparison, now_s: float) -> None:
        """Add rows that a shadow repeated: rows, agreements, score differences in fixed point."""
        starts_n = np.floor(comparison.answered_at_n * 1000.0).astype(np.int64) // self._tick_ms * self._tick_ms
        differences_n = to_fixed(comparison.score_differences_n)
        for start_ms in np.unique(starts_n).tolist():
            if self._remembers(start_ms, now_s):
                rows = starts_n == start_ms
                added = np.array([rows.sum(), comparison.agrees_n[rows].sum(), differences_n[rows].sum()])
                self._compared[start_ms] = self._compared.get(start_ms, np.zeros(3, dtype=np.int64)) + added
        self._forget(now_s)

    def show_detectors(self, start_ms: int) -> None:
        """Show the detectors the tick that starts there; once for each, in order."""
        summary = self._summaries.get(start_ms)
        if summary is not None:
            self.bank.take(summary.cells, summary.rows, (start_ms + self._tick_ms) / 1000.0)

    def pool(self, last_start_ms: int) -> Pool:
        """Sum the fewest newest ticks, up to the given one, that hold the minimum sample; at most the window."""
        cells = np.zeros(self.version.layout.size, dtype=np.int64)
        rows = ticks = 0
        starts: list[int] = []
        for back in range(self._window_ticks):
            start_ms = last_start_ms - back * self._tick_ms
            summary = self._summaries.get(start_ms)
            ticks += 1
            if summary is not None:
                cells, rows = cells + summary.cells, rows + summary.rows
                starts.append(start_ms)
            if rows >= self._minimum_rows:
                break
        to_ms = max(starts, default=last_start_ms) + self._tick_ms
        from_s = min(starts, default=last_start_ms) / 1000.0
        rows_until = self.rows_total - self._rows_after(last_start_ms)
        return Pool(self.version.layout, rows, ticks, cells, from_s, to_ms / 1000.0, rows_until)

    def agreement(self) -> Agreement | None:
        """Return the agreement over the remembered ticks, ``None`` where nothing was compared."""
        rows, agreed, difference = sum(self._compared.values(), np.zeros(3, dtype=np.int64)).tolist()
        return Agreement(rows, agreed / rows, difference / (FIXED_POINT * rows)) if rows else None

    def _rows_after(self, start_ms: int) -> int:
        return sum(summary.rows for start, summary in self._summaries.items() if start > start_ms)

    def _remembers(self, start_ms: int, now_s: float) -> bool:
        newest_ms = int(now_s * 1000) // self._tick_ms * self._tick_ms
        return newest_ms - (self._window_ticks + 1) * self._tick_ms <= start_ms <= newest_ms + self._tick_ms

    def _forget(self, now_s: float) -> None:
        for book in (self._summaries, self._compared):
            for start_ms in [start for start in book if not self._remembers(start, now_s)]:
                del book[start_ms]


class StreamBook:
    """All streams and the versions that were announced, each bounded: the least recently seen is dropped.

    Parameters
    ----------
    thresholds
        Ticks and window.
    max_streams
        Most streams, and most versions.
    choice
        Detectors that streams are shown to.
    """

    def __init__(self, thresholds: Thresholds, *, max_streams: int, choice: DetectorChoice) -> None:
        self.thresholds = thresholds
        self.choice = choice
        self.max_streams = max_streams
        self.dropped_streams = 0
        self._versions: OrderedDict[tuple[str, str, str], Version] = OrderedDict()
        self._streams: OrderedDict[StreamKey, Stream] = OrderedDict()

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._streams.values()))

    def announce(self, info: StreamInfo) -> Version | None:
        """Remember a version and return it; ``None`` for one that another worker announced, which changes nothing."""
        name = (info.model, info.version, info.digest)
        known = self._versions.get(name)
        is_news = known is None or known.info != info
        if is_news:
            self._versions[name] = Version.of(info)
            self._drop_streams_of(info)
        self._versions.move_to_end(name)
        while len(self._versions) > self.max_streams:
            self._versions.popitem(last=False)
        return self._versions[name] if is_news else None

    def known(self) -> list[Version]:
        """Return all announced versions."""
        return list(self._versions.values())

    def versions(self, model: str) -> list[Version]:
        """Return the announced versions of a model, the least recently announced first."""
        return [version for version in self._versions.values() if version.info.model == model]

    def of_model(self, model: str) -> list[Stream]:
        """Return the streams of a model, the least recently seen first."""
        return [stream for key, stream in self._streams.items() if key.model == model]

    def stream(self, key: StreamKey, now_s: float) -> Stream | None:
        """Return the stream, made at first sight; ``None`` when its version was never announced."""
        known = self._streams.get(key)
        if known is None:
            version = self._versions.get((key.model, key.version, key.digest))
            if version is None:
                return None
            known = self._streams[key] = Stream(key, version, self.thresholds, now_s, self.choice)
        self._streams.move_to_end(key)
        if len(self._streams) > self.max_streams:
            self._streams.popitem(last=False)
            self.dropped_streams += 1
        return known

    def _drop_streams_of(self, info: StreamInfo) -> None:
        """Forget counts of another layout."""
        name = (info.model, info.version, info.digest)
        for key in [key for key in self._streams if (key.model, key.version, key.digest) == name]:
            del self._streams[key]
