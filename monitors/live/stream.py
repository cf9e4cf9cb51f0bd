"""The evidence of one live stream: its monitor, its open seconds, and what has been said since one last asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from monitors.evidence.budget import DAYS_A_WEEK, Budget
from monitors.evidence.channel import Cause
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, Event, EvidenceMonitor
from monitors.live.distances import Distances, Kind
from monitors.live.presence import Presence
from monitors.live.recent import Recent
from monitors.live.seconds import Seconds
from monitors.live.silent import SilentSegments
from monitors.paging import Calibration
from monitors.records import FALLBACK_FLAG, Observation, StreamKey
from monitors.rules import RunRules

__all__ = ["EvidenceStream", "Standing"]

_WHOLE: frozenset[int | None] = frozenset({None})
"""All rows: what an event is about that names no segment."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the evidence about one cause stands, in nats.

    Parameters
    ----------
    nats
        Logarithm of the e-detector: its largest value since one last asked, or the one at a page.
    warn_nats, page_nats
        The levels at which it warns and pages.
    crossed
        The highest level crossed since one last asked.
    names
        Channels named at a false discovery rate of 10 % since one last asked.
    leading
        Channels that had most of the evidence when it crossed a level, named or not.
    lasts
        Whether what was crossed last is the change of the page before, still there.
    is_over
        Whether the effect since then is known to be below half of what it was, or its segment has fallen silent.
    calibration
        What the level rests on.
    """

    nats: float
    warn_nats: float
    page_nats: float
    crossed: Literal["warning", "page"] | None
    names: frozenset[str]
    leading: frozenset[str]
    lasts: bool
    is_over: bool
    calibration: Calibration

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has spoken for change lately, and the effect shows that it is over."""
        return self.crossed is None and self.nats < self.warn_nats and self.is_over


class EvidenceStream:
    """Counts the rows of a stable or canary version and takes evidence of them, second by second.

    Parameters
    ----------
    key
        Whose rows.
    model
        Fitted on the version's reference.
    budget
        That of the stream.
    calibration
        What the reference is.
    counts_from_s
        Rows answered before are burn-in.
    recent_rows
        How many of the newest rows effects are measured on.

    Notes
    -----
    A summary consists of whole seconds, as few as hold the rows that the budget asks for. Rows that stable answered in
    place of a failed canary are left out: they are a selection that the canary's failures made.
    """

    def __init__(
        self,
        key: StreamKey,
        model: EvidenceModel,
        budget: Budget,
        calibration: Calibration,
        *,
        counts_from_s: float,
        recent_rows: int,
    ) -> None:
        self.key = key
        self.calibration = calibration
        self.counts_from_s = counts_from_s
        self.burn_in_rows = self.left_out_rows = self.summaries = 0
        self.rules = RunRules(model, budget)
        self.monitor = EvidenceMonitor(model, Config(budget))
        self.seconds = Seconds(model.channels)
        distances = Distances(model)
        self.recent = Recent(model, distances, recent_rows)
        self.silent = SilentSegments(model)
        listed = model.channels.listed
        self.presences = {
            (cause, kind, place): Presence(
                distances, np.array([(c.cause, c.segment) == (cause, place) for c in listed]), kind
            )
            for cause, place in dict.fromkeys((channel.cause, channel.segment) for channel in listed)
            for kind in get_args(Kind)
        }
        self.began_s: int | None = None
        self._events: list[Event] = []
        self._spoke: dict[Cause, frozenset[int | None]] = {}
        self._peaks: dict[Cause, float] = {}

    @property
    def model(self) -> EvidenceModel:
        """The fitted part."""
        return self.monitor.model

    @property
    def knows_broken(self) -> bool:
        """Whether the reference itself holds broken answers."""
        listed = self.model.channels.listed
        return any(
            channel.cause == "broken" and int(self.model.counts_cb[c, 2]) > 0 for c, channel in enumerate(listed)
        )

    def take(self, seen: Observation, now_s: float) -> bool:
        """Count a block of rows; return whether they have just broken a rule.

        Raises
        ------
        ValueError
            When the rows have other columns than the reference had.
        """
        early_n = seen.answered_at_n < self.counts_from_s
        self.burn_in_rows += int(early_n.sum())
        self.seconds.take(seen, ~early_n & ((seen.flags_n & FALLBACK_FLAG) == 0), now_s)
        return self.rules.take(seen)

    def end_second(self, second: int, *, counts: bool) -> list[Event]:
        """End a second: add it to the summary, and end that if it is whole; else leave its rows out.

        Parameters
        ----------
        second
            Unix time.
        counts
            Whether the rows of the second are evidence.
        """
        found = self.seconds.close(second)
        if found is None:
            return []
        if not counts:
            self.left_out_rows += found.rows
            return []
        self.began_s = second if self.began_s is None else self.began_s
        self.monitor.add_counts(found.counts_cb, found.rows)
        self.recent.add(found.counts_cb, found.rows)
        self.silent.add(found.counts_cb, found.rows)
        if self.silent.places:
            self.monitor.forget(self.silent.channels_c)
        for presence in self.presences.values():
            presence.add(found.counts_cb)
        return self._end_summary(second) if self.monitor.is_due(second + 1.0 - self.began_s) else []

    def standing(self, cause: Cause, kind: Kind) -> Standing:
        """Return where the evidence about a cause stands, and whether a change of that kind is still there."""
        presences = {place: found for (*about, place), found in self.presences.items() if about == [cause, kind]}
        threshold, silent = self.monitor.thresholds[cause], self.silent.places
        events = [event for event in self._events if event.cause == cause]
        level = max(self._peaks.get(cause, 0.0), self.monitor.evidence()[cause])
        crossed = {event.level for event in events}
        return Standing(
            nats=_log(level),
            warn_nats=math.log(threshold / DAYS_A_WEEK),
            page_nats=math.log(threshold),
            crossed="page" if "page" in crossed else "warning" if crossed else None,
            names=frozenset(driver.channel.name for event in events for driver in event.drivers),
            leading=frozenset(event.leading.name for event in events if event.leading is not None),
            lasts=all(presences[place].lasts for place in self._spoke.get(cause, _WHOLE)),
            is_over=all(place in silent or presence.is_over for place, presence in presences.items()),
            calibration=self.calibration,
        )

    def forget_events(self) -> None:
        """Begin to listen anew: what was said is judged."""
        self._events.clear()
        self._peaks.clear()

    def levels(self) -> Mapping[Cause, tuple[float, float]]:
        """Return evidence and page level of each cause, in nats."""
        levels, thresholds = self.monitor.evidence(), self.monitor.thresholds
        return MappingProxyType({cause: (_log(levels[cause]), math.log(thresholds[cause])) for cause in levels})

    def segment_levels(self) -> Mapping[str, tuple[Cause, float, float]]:
        """Return, for each segment that has evidence, the cause that is nearest to its page level: nats, and those."""
        levels: dict[str, tuple[Cause, float, float]] = {}
        for cause, parts in self.monitor.within().items():
            page_nats = math.log(self.monitor.thresholds[cause])
            for name, level in parts.items():
                nats = max(0.0, _log(level))
                known = levels.get(name)
                if known is None or nats / page_nats > known[1] / known[2]:
                    levels[name] = cause, nats, page_nats
        return MappingProxyType(levels)

    def _end_summary(self, second: int) -> list[Event]:
        events = self.monitor.end_summary()
        self.began_s, self.summaries = second + 1, self.summaries + 1
        for cause, level in self.monitor.evidence().items():
            self._peaks[cause] = max(self._peaks.get(cause, 0.0), level)
        for event in events:
            if event.evidence_nats is not None:
                self._peaks[event.cause] = max(self._peaks.get(event.cause, 0.0), math.exp(event.evidence_nats))
            named = frozenset(each.channel.segment for each in event.drivers if each.channel.cause == event.cause)
            self._spoke[event.cause] = named or (frozenset({event.leading.segment}) if event.leading else _WHOLE)
            for kind, place in product(get_args(Kind), self._spoke[event.cause]):
                self.presences[event.cause, kind, place].speak(self.recent.counts(), pages=event.level == "page")
        self._events += events
        return events


def _log(level: float) -> float:
    """Return the logarithm of a level; evidence that has not begun counts as less than a row of it."""
    return math.log(max(level, float(np.finfo(np.float64).tiny)))
