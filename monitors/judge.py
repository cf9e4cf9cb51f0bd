"""The judge: from what a tick left behind to the next form of each alert."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from monitors.alerts import AlertPolicy, clock_time, resolve
from monitors.assessment import Judged, assess
from monitors.causes import Cause, Reading, readings
from monitors.effects import Movement
from monitors.history import HistoryBook
from monitors.importance import EQUAL
from monitors.incidents import AlertKey, IncidentBook
from monitors.live.book import EvidenceBook
from monitors.live.judgement import with_evidence
from monitors.live.stream import EvidenceStream
from monitors.paging import Paging
from monitors.quality import FaultBook, FaultRates
from monitors.records import Alert, ModelRoute, StreamKey, Variant
from monitors.streams import Stream, StreamBook
from monitors.thresholds import Thresholds

__all__ = ["Judge"]

ROLES: tuple[Variant, ...] = ("stable", "canary", "shadow")
UNREAD: tuple[Cause, ...] = ("broken-output",)
"""What is judged while a version's evidence model is being read: effect thresholds would only warn meanwhile."""


class Judge:
    """Judge all streams, versions whose every request is refused, silence, and streams that have ended.

    Parameters
    ----------
    thresholds
        Ticks, samples and levels.
    paging
        Who may page.
    streams, evidence, incidents
        What is known.
    faults
        Contract faults by model and version; the owner fills it.
    started_s
        Unix time at which the watch began.

    Attributes
    ----------
    routes
        How models are routed, by name; the owner sets it. A model that is not there is judged by its rows alone.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        paging: Paging,
        streams: StreamBook,
        evidence: EvidenceBook,
        incidents: IncidentBook,
        faults: dict[tuple[str, str], FaultBook],
        started_s: float,
    ) -> None:
        self.thresholds, self.paging = thresholds, paging
        self._streams, self._evidence, self._incidents, self._faults = streams, evidence, incidents, faults
        self._started_s = started_s
        self._policy = AlertPolicy(thresholds, paging)
        self._judged: dict[StreamKey, Judged] = {}
        self._unheard: dict[str, float] = {}
        self.routes: Mapping[str, ModelRoute] = {}
        self.history = HistoryBook(thresholds)

    def judged(self, key: StreamKey) -> Judged | None:
        """Return the last window of a stream that held enough rows, and what it says."""
        return self._judged.get(key)

    def judge_tick(self, start_ms: int) -> None:
        """Judge the tick that starts there, for all streams."""
        end_s = (start_ms + self.thresholds.tick_ms) / 1000.0
        for stream in self._streams:
            if stream.key.variant != "pinned":
                self.judge_stream(stream, start_ms, end_s)
        known = {stream.key for stream in self._streams}
        self._judged = {key: found for key, found in self._judged.items() if key in known}
        self.history.keep(known)
        self._judge_refusals(end_s)
        self._judge_silence(end_s)
        self._end_departed(end_s)

    def judge_stream(self, stream: Stream, start_ms: int, end_s: float, *, ends_tick: bool = True) -> None:
        """Judge the newest rows of a stream up to a tick; between ticks, that tick is the one still open."""
        evidence = self._evidence.find(stream.key)
        if ends_tick:
            stream.show_detectors(start_ms)
        pool = stream.pool(start_ms)
        assessment = assess(stream.version.layout, pool.cells, pool.rows) if pool.rows else None
        is_shown = ends_tick and assessment is not None
        if assessment and is_shown and (pool.rows >= self.thresholds.minimum_rows or stream.key not in self._judged):
            self._judged[stream.key] = Judged(assessment, pool)
            self.history.add(stream.key, end_s, assessment, evidence)
        faults = self._rates(stream.key) if stream is self._speaker(stream.key) else FaultRates(0)
        found = readings(assessment, faults, self.thresholds, least_rows=1 if evidence else None)
        if evidence is not None:
            found = self._with_evidence(found, evidence)
        elif self._is_unread(stream.key):
            found = {cause: reading for cause, reading in found.items() if cause in UNREAD}
        for reading in found.values():
            weighed = replace(reading, importance=stream.version.importance)
            self._decide(stream.key, weighed, end_s, ends_tick=ends_tick)
        if evidence is not None and ends_tick:
            evidence.forget_events()

    def _with_evidence(self, found: dict[Cause, Reading], evidence: EvidenceStream) -> dict[Cause, Reading]:
        key = evidence.key
        pages = {cause for cause in found if (alert := self._open(key, cause)) and alert.severity == "page"}
        may_page = self.paging.pages(evidence.calibration)
        return with_evidence(found, evidence, self.thresholds, pages=may_page, paged=frozenset(pages))

    def _is_unread(self, key: StreamKey) -> bool:
        return key.variant != "shadow" and self._evidence.is_unread(key.model, key.version, key.digest)

    def _judge_refusals(self, end_s: float) -> None:
        """Judge the faults of versions that no stream speaks for: every one of their requests was refused."""
        for model, version in self._faults:
            key = StreamKey(model, version, "", "stable")
            if self._speaker(key) is None:
                known = [each for each in self._streams.versions(model) if each.info.version == version]
                importance = known[-1].importance if known else EQUAL
                for reading in readings(None, self._rates(key), self.thresholds).values():
                    self._decide(key, replace(reading, importance=importance), end_s)

    def _judge_silence(self, end_s: float) -> None:
        self._end_silence_of_stopped(end_s)
        for stream in self._streams:
            if self._is_stopped(stream.key.model):
                continue
            if stream.key.variant == "stable" and self._newest_stable(stream.key.model) is stream:
                last_s = stream.last_row_s or stream.first_seen_s
                self._decide(stream.key, self._silence(stream.key.model, last_s, end_s), end_s)
        self._unheard = {
            model: self._unheard.get(model, self._unheard_since(model, end_s)) for model in self._never_answering()
        }
        for model, since_s in self._unheard.items():
            self._decide(self._expected(model), self._silence(model, since_s, end_s, heard=False), end_s)

    def _silence(self, model: str, since_s: float, end_s: float, *, heard: bool = True) -> Reading:
        """Return how long a model has had no row; a night may be one, unless the operator says that it has none."""
        resumed_s = self.routes[model].resumed_at if model in self.routes else 0.0
        heard, since_s = heard and since_s >= resumed_s, max(since_s, resumed_s)
        silent_s = max(0.0, end_s - since_s)
        before = f"last row {clock_time(since_s)}" if heard else f"expected since {clock_time(since_s)}"
        movement = Movement("traffic", "silence_s", silent_s, 0.0, before, f"no row for {silent_s:.0f} s")
        page_s = self.paging.no_traffic_s.get(model, math.inf)
        return Reading("no-data", min(self.thresholds.silence_s, page_s), page_s, (movement,), rules=(movement,))

    def _is_stopped(self, model: str) -> bool:
        return model in self.routes and self.routes[model].is_stopped

    def _end_silence_of_stopped(self, end_s: float) -> None:
        for alert in self._incidents.open():
            if alert.cause == "no-data" and self._is_stopped(alert.model):
                self._incidents.put(resolve(alert, end_s, "an operator has stopped the model"))

    def _never_answering(self) -> list[str]:
        """Return the models that are to have traffic and are announced, but had no row of stable since the watch began.

        After a restart nothing else would know that they are silent.
        """
        expected = [model for model in self.paging.no_traffic_s if not self._is_stopped(model)]
        return [model for model in expected if self._streams.versions(model) and self._newest_stable(model) is None]

    def _expected(self, model: str) -> StreamKey:
        """Return whose traffic is missing: that of the open incident, else of stable, else of the newest version."""
        if before := self._open_silence(model):
            return StreamKey(model, before.version, "", "stable")
        if route := self.routes.get(model):
            return StreamKey(model, route.stable, "", "stable")
        return StreamKey(model, self._streams.versions(model)[-1].info.version, "", "stable")

    def _unheard_since(self, model: str, now_s: float) -> float:
        """Return since when a model is silent: a restart ends no silence."""
        before = self._open_silence(model)
        return before.updated_at - before.effect if before else now_s

    def _open_silence(self, model: str) -> Alert | None:
        return next((a for a in self._incidents.open() if a.model == model and a.cause == "no-data"), None)

    def _end_departed(self, end_s: float) -> None:
        """Resolve the alerts of streams that get no traffic any more while their model does, or whose model is gone."""
        patience_s = (self.thresholds.window_ticks + self.thresholds.clear_ticks) * self.thresholds.tick_s
        never = self._never_answering()
        for alert in self._incidents.open():
            streams = self._streams.of_model(alert.model)
            mine = [s for s in streams if (s.key.version, s.key.variant) == (alert.version, alert.variant)]
            quiet_s = end_s - max((s.last_row_s or 0.0 for s in mine), default=self._started_s)
            model_lives = any(end_s - (s.last_row_s or 0.0) <= patience_s for s in streams)
            model_left = not streams and quiet_s > self.thresholds.silence_s and alert.model not in never
            if quiet_s > patience_s and (model_lives or model_left) and not self._is_refused(alert):
                self._incidents.put(resolve(alert, end_s, "the version no longer answers in this role"))

    def _is_refused(self, alert: Alert) -> bool:
        """Whether the version still gets requests, all of which its contract refuses."""
        book = self._faults.get((alert.model, alert.version))
        return alert.cause == "data-quality" and book is not None and book.rates().rows > 0

    def _decide(self, key: StreamKey, reading: Reading, end_s: float, *, ends_tick: bool = True) -> None:
        previous = self._open(key, reading.cause) or self._continued(key, reading)
        alert = self._policy.decide(key, reading, previous, end_s, ends_tick=ends_tick)
        if alert is not None:
            self._incidents.put(alert)

    def _open(self, key: StreamKey, cause: Cause) -> Alert | None:
        return self._incidents.get(_name(key, cause))

    def _continued(self, key: StreamKey, reading: Reading) -> Alert | None:
        """Return an incident that was taken for over while its change was still there."""
        if reading.standing is None or reading.level is None or not reading.standing.lasts:
            return None
        return self._incidents.last_resolved(_name(key, reading.cause))

    def _rates(self, key: StreamKey) -> FaultRates:
        book = self._faults.get((key.model, key.version))
        return book.rates() if book else FaultRates(0)

    def _speaker(self, key: StreamKey) -> Stream | None:
        """Return the stream that answers for the version's faults: its most prominent role."""
        streams = [s for s in self._streams.of_model(key.model) if s.key.version == key.version]
        roles = {stream.key.variant: stream for stream in streams}
        return next((roles[role] for role in ROLES if role in roles), None)

    def _newest_stable(self, model: str) -> Stream | None:
        stable = [stream for stream in self._streams.of_model(model) if stream.key.variant == "stable"]
        return max(stable, key=lambda stream: stream.last_row_s or stream.first_seen_s, default=None)


def _name(key: StreamKey, cause: Cause) -> AlertKey:
    return (key.model, key.version, key.variant, cause)
