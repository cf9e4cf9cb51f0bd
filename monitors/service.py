"""The monitor: records in, tick by tick to readings, alerts and reports. No loop, no I/O, no thread of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from monitors.detectors.bank import DetectorChoice
from monitors.gauges import Gauge, alert_gauges, evidence_gauges, page_gauges, segment_gauges, stream_gauges
from monitors.incidents import IncidentBook
from monitors.judge import Judge
from monitors.live.book import EvidenceBook, Fitted, Unread
from monitors.paging import Paging
from monitors.ports import AlertSink, AlertStore, Clock
from monitors.quality import FaultBook
from monitors.realised import Realised, realised
from monitors.records import (
    BROKEN_FLAG,
    Alert,
    Baseline,
    FaultTotals,
    ModelRoute,
    Observation,
    Page,
    ShadowComparison,
    StreamInfo,
)
from monitors.report import report_model
from monitors.streams import StreamBook
from monitors.thresholds import Thresholds

__all__ = ["MonitorService"]

GRACE_S = 1.0


class MonitorService:
    """Watch all streams of a host.

    Parameters
    ----------
    thresholds
        Ticks, samples and levels.
    clock
        Wall time; decides which ticks may still grow.
    paging
        How many false pages a model may cause, and who may page.
    store
        Durable home of open alerts; they are loaded here.
    sinks
        Told of alert transitions.
    choice
        Uncalibrated detectors that tick means are shown to; they never alert.
    max_streams
        Most streams remembered; the least recently seen is dropped.

    Notes
    -----
    Evidence models take their time to be read. An owner on an event loop reads those of ``unread`` in a thread
    (``Unread.read``) and gives them to ``learn``; what is left unread, ``tick`` reads itself.
    Not safe for several threads. Memory: ``max_streams`` times ``window_ticks + 3`` summaries, and about 2 MB a stream
    with evidence at 30 features.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        clock: Clock,
        *,
        paging: Paging | None = None,
        store: AlertStore | None = None,
        sinks: Sequence[AlertSink] = (),
        choice: DetectorChoice | None = None,
        max_streams: int = 128,
    ) -> None:
        self.thresholds = thresholds
        self.max_streams = max_streams
        self.refused_records = 0
        self._clock = clock
        self._streams = StreamBook(thresholds, max_streams=max_streams, choice=choice or DetectorChoice())
        self._evidence = EvidenceBook(paging or Paging(), recent_rows=thresholds.minimum_rows)
        self._incidents = IncidentBook(store, sinks)
        self._faults: dict[tuple[str, str], FaultBook] = {}
        self._pages: tuple[Page, ...] = ()
        known = self._streams, self._evidence, self._incidents, self._faults
        self._judge = Judge(thresholds, self._evidence.paging, *known, clock.unix_s())
        self._closed_ms = self._newest_closed_ms(clock.unix_s())

    def take_info(self, info: StreamInfo) -> None:
        """Learn of a version; needed before its observations can be read.

        A reference profile that cannot be used is counted as refused, once; the version is watched without it.
        """
        version = self._streams.announce(info)
        if version is None:
            return
        self._evidence.announce(info)
        if version.reference_error:
            self.refused_records += 1

    @property
    def judged_until_s(self) -> float:
        """End of the newest tick judged, Unix seconds."""
        return (self._closed_ms + self.thresholds.tick_ms) / 1000.0

    def state(self) -> bytes:
        """Return the evidence of all streams as text: what ``restore`` goes on from."""
        return self._evidence.state()

    def restore(self, text: bytes) -> None:
        """Go on from what another process of the same watch saved.

        Raises
        ------
        monitors.transport.documents.DocumentRefused
            For text that is no such document.
        """
        self._evidence.restore(text)

    def unread(self) -> list[Unread]:
        """Return the versions whose evidence model is to be read, since rows of them have come."""
        return self._evidence.unread()

    def learn(self, unread: Unread, fitted: Fitted) -> None:
        """Take what was read for a version, unless it was announced anew or got another baseline meanwhile."""
        self._evidence.learn(unread, fitted)

    def accept(self, baselines: Iterable[Baseline]) -> None:
        """Hold versions against the baselines that operators have accepted: all there are, each time."""
        self._evidence.accept(baselines)

    def take(self, observation: Observation) -> None:
        """Count a block of rows. One that does not fit its version, or of an unknown version, is counted as refused."""
        now_s = self._clock.unix_s()
        stream = self._streams.stream(observation.key, now_s)
        if stream is None:
            self.refused_records += 1
            return
        try:
            stream.take(observation, now_s)
            breaks_a_rule = self._evidence.take(observation, now_s)
        except ValueError:  # ObservationInvalid is one
            self.refused_records += 1
            return
        if (breaks_a_rule or self._is_broken(observation)) and observation.key.variant != "pinned":
            self._judge.judge_stream(stream, self._open_ms(now_s), now_s, ends_tick=False)

    def take_comparison(self, comparison: ShadowComparison) -> None:
        """Count rows that a shadow repeated."""
        now_s = self._clock.unix_s()
        stream = self._streams.stream(comparison.key, now_s)
        if stream is None:
            self.refused_records += 1
            return
        stream.compare(comparison, now_s)

    def receive(self, record: object) -> None:
        """Take whatever came over a channel; what is no record of the monitors is counted as refused."""
        if isinstance(record, Observation):
            self.take(record)
        elif isinstance(record, StreamInfo):
            self.take_info(record)
        elif isinstance(record, ShadowComparison):
            self.take_comparison(record)
        else:
            self.refused_records += 1

    def take_faults(self, totals: Sequence[FaultTotals]) -> None:
        """Take the workers' cumulative fault counters; call it once before each ``tick``."""
        tick = int(self._clock.unix_s() * 1000) // self.thresholds.tick_ms
        for each in totals[: self.max_streams]:
            name = (each.model, each.version)
            if name not in self._faults:
                self._faults[name] = FaultBook(self.thresholds.window_ticks, self.thresholds.minimum_rows)
            self._faults[name].take(tick, each)
        while len(self._faults) > self.max_streams:
            del self._faults[next(iter(self._faults))]

    def take_routes(self, routes: Iterable[ModelRoute]) -> None:
        """Take how models are routed, all there are, each time: no traffic is missing of one that is stopped."""
        self._judge.routes = {route.model: route for route in routes}

    def take_pages(self, pages: Sequence[Page]) -> None:
        """Take the pages that are kept, with what operators say of them."""
        self._pages = tuple(pages)

    def tick(self, now_s: float | None = None) -> None:
        """Close the seconds and ticks that ended a grace ago, judge each tick once, and move the alerts.

        A stream whose evidence crosses a level is judged at once. After a pause the newest ``window_ticks`` of the
        ticks missed are judged.
        """
        now_s = self._clock.unix_s() if now_s is None else now_s
        for unread in self.unread():
            self.learn(unread, unread.read())
        self._incidents.retry()
        self._end_seconds(now_s)
        newest_ms = self._newest_closed_ms(now_s)
        step_ms = self.thresholds.tick_ms
        oldest_ms = max(self._closed_ms + step_ms, newest_ms - (self.thresholds.window_ticks - 1) * step_ms)
        for start_ms in range(oldest_ms, newest_ms + 1, step_ms):
            self._judge.judge_tick(start_ms)
        self._closed_ms = max(self._closed_ms, newest_ms)

    def alerts(self) -> list[Alert]:
        """Return the open alerts, then the recently resolved ones."""
        return self._incidents.all()

    def knows(self, model: str) -> bool:
        """Return whether a version of the model was ever announced."""
        return bool(self._streams.versions(model))

    def report(self, model: str) -> dict[str, Any]:
        """Return the drift report of a model, ready for JSON; see ``monitors.report``."""
        versions = [(version, self._fitted(version.info)) for version in self._streams.versions(model)]
        alerts = [alert for alert in self._incidents.all() if alert.model == model]
        faults = {version: book.rates() for (name, version), book in self._faults.items() if name == model}
        streams = [
            (stream, self._judge.judged(stream.key), self._evidence.find(stream.key))
            for stream in self._streams.of_model(model)
        ]
        closed_ms, promise = self._closed_ms + self.thresholds.tick_ms, self._realised(model)
        return report_model(model, versions, streams, faults, alerts, closed_ms, promise, self.thresholds)

    def history(self, model: str) -> dict[str, Any]:
        """Return how far a model's streams have moved over the last hours, ready for JSON; see ``monitors.history``."""
        return {"model": model, "streams": self._judge.history.view(model)}

    def newest(self, model: str) -> list[dict[str, Any]]:
        """Return how far a model's streams have moved now, in short."""
        return self._judge.history.newest(model)

    def gauges(self) -> Iterable[Gauge]:
        """Yield (name, labels, value) of everything that is exported; see ``monitors.gauges``."""
        yield "weir_monitor_tick_timestamp_seconds", {}, (self._closed_ms + self.thresholds.tick_ms) / 1000.0
        for stream in self._streams:
            judged = self._judge.judged(stream.key)
            yield from stream_gauges(stream, judged.assessment if judged else None, self.thresholds.feature_series)
            if judged is not None:
                yield from segment_gauges(stream.key, judged)
        for evidence in self._evidence:
            yield from evidence_gauges(evidence)
        watched = {(stream.key.model, stream.key.version) for stream in self._streams}
        yield from alert_gauges(watched, self._incidents.open())
        for model in sorted({model for model, _ in watched}):
            yield from page_gauges(model, self._realised(model))

    def _realised(self, model: str) -> Realised:
        return realised(model, self._pages, self._evidence.paging, self._clock.unix_s())

    def _fitted(self, info: StreamInfo) -> Fitted | None:
        return self._evidence.fitted(info.model, info.version, info.digest)

    def _newest_closed_ms(self, now_s: float) -> int:
        """Return the start of the newest tick that ended a grace ago."""
        step_ms = self.thresholds.tick_ms
        grace_s = min(GRACE_S, self.thresholds.tick_s / 4.0)
        return int((now_s - grace_s) * 1000) // step_ms * step_ms - step_ms

    def _end_seconds(self, now_s: float) -> None:
        """End the seconds that are over; judge at once what was said, on the rows of the tick that is still open."""
        known = [(version.info.model, version.info.version, version.info.digest) for version in self._streams.known()]
        self._evidence.keep((stream.key for stream in self._streams), known)
        spoken = {stream.key for stream in self._evidence.end_seconds(now_s)}
        for stream in self._streams:
            if stream.key in spoken:
                self._judge.judge_stream(stream, self._open_ms(now_s), now_s, ends_tick=False)

    def _open_ms(self, now_s: float) -> int:
        """Return the start of the tick that is open now."""
        return int(now_s * 1000) // self.thresholds.tick_ms * self.thresholds.tick_ms

    def _is_broken(self, observation: Observation) -> bool:
        """Whether a block holds a broken answer that no alert tells yet."""
        key = observation.key
        broken = bool((observation.flags_n & BROKEN_FLAG).any()) or bool(np.isnan(observation.scores_nk).any())
        return broken and self._incidents.get((key.model, key.version, key.variant, "broken-output")) is None
