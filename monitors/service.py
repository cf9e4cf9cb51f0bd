"""The monitor: records in, tick by tick to readings, alerts and reports. No loop, no I/O, no thread of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from monitors.alerts import AlertPolicy, clock_time, resolve
from monitors.assessment import Judged, assess
from monitors.causes import Reading, readings
from monitors.detectors.bank import DetectorChoice
from monitors.effects import Movement
from monitors.gauges import Gauge, alert_gauges, stream_gauges
from monitors.incidents import AlertKey, IncidentBook
from monitors.ports import AlertSink, AlertStore, Clock
from monitors.quality import FaultBook, FaultRates
from monitors.records import Alert, FaultTotals, Observation, ShadowComparison, StreamInfo, StreamKey, Variant
from monitors.report import report_model
from monitors.streams import Stream, StreamBook
from monitors.summary import ObservationInvalid
from monitors.thresholds import Thresholds

__all__ = ["MonitorService"]

GRACE_S = 1.0
ROLES: tuple[Variant, ...] = ("stable", "canary", "shadow")


class MonitorService:
    """Watch all streams of a host.

    Parameters
    ----------
    thresholds
        Ticks, samples and levels.
    clock
        Wall time; decides which ticks may still grow.
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
    Not safe for several threads. Memory: ``max_streams`` times ``window_ticks + 3`` summaries.
    """

    def __init__(
        self,
        thresholds: Thresholds,
        clock: Clock,
        *,
        store: AlertStore | None = None,
        sinks: Sequence[AlertSink] = (),
        choice: DetectorChoice | None = None,
        max_streams: int = 128,
    ) -> None:
        self.thresholds = thresholds
        self.max_streams = max_streams
        self.refused_records = 0
        self._clock = clock
        self._started_s = clock.unix_s()
        self._policy = AlertPolicy(thresholds)
        self._streams = StreamBook(thresholds, max_streams=max_streams, choice=choice or DetectorChoice())
        self._incidents = IncidentBook(store, sinks)
        self._faults: dict[tuple[str, str], FaultBook] = {}
        self._judged: dict[StreamKey, Judged] = {}
        self._closed_ms = self._newest_closed_ms(self._started_s)

    def take_info(self, info: StreamInfo) -> None:
        """Learn of a version; needed before its observations can be read.

        A reference profile that cannot be used is counted as refused, once; the version is watched without it.
        """
        version = self._streams.announce(info)
        if version is not None and version.reference_error:
            self.refused_records += 1

    def take(self, observation: Observation) -> None:
        """Count a block of rows. One that does not fit its version, or of an unknown version, is counted as refused."""
        now_s = self._clock.unix_s()
        stream = self._streams.stream(observation.key, now_s)
        if stream is None:
            self.refused_records += 1
            return
        try:
            stream.take(observation, now_s)
        except ObservationInvalid:
            self.refused_records += 1

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

    def tick(self, now_s: float | None = None) -> None:
        """Close the ticks that ended a grace ago, judge each once, and move the alerts.

        After a pause the newest ``window_ticks`` of the ticks missed are judged.
        """
        now_s = self._clock.unix_s() if now_s is None else now_s
        self._incidents.retry()
        newest_ms = self._newest_closed_ms(now_s)
        step_ms = self.thresholds.tick_ms
        oldest_ms = max(self._closed_ms + step_ms, newest_ms - (self.thresholds.window_ticks - 1) * step_ms)
        for start_ms in range(oldest_ms, newest_ms + 1, step_ms):
            self._judge(start_ms)
        self._closed_ms = max(self._closed_ms, newest_ms)

    def alerts(self) -> list[Alert]:
        """Return the open alerts, then the recently resolved ones."""
        return self._incidents.all()

    def knows(self, model: str) -> bool:
        """Return whether a version of the model was ever announced."""
        return bool(self._streams.versions(model))

    def report(self, model: str) -> dict[str, Any]:
        """Return the drift report of a model, ready for JSON; see ``monitors.report``."""
        versions = self._streams.versions(model)
        alerts = [alert for alert in self._incidents.all() if alert.model == model]
        faults = {version: book.rates() for (name, version), book in self._faults.items() if name == model}
        streams = [(stream, self._judged.get(stream.key)) for stream in self._streams.of_model(model)]
        return report_model(model, versions, streams, faults, alerts, self._closed_ms + self.thresholds.tick_ms)

    def gauges(self) -> Iterable[Gauge]:
        """Yield (name, labels, value) of everything that is exported; see ``monitors.gauges``."""
        yield "weir_monitor_tick_timestamp_seconds", {}, (self._closed_ms + self.thresholds.tick_ms) / 1000.0
        for stream in self._streams:
            judged = self._judged.get(stream.key)
            yield from stream_gauges(stream, judged.assessment if judged else None, self.thresholds.feature_series)
        watched = {(stream.key.model, stream.key.version) for stream in self._streams}
        yield from alert_gauges(watched, self._incidents.open())

    def _newest_closed_ms(self, now_s: float) -> int:
        """Return the start of the newest tick that ended a grace ago."""
        step_ms = self.thresholds.tick_ms
        grace_s = min(GRACE_S, self.thresholds.tick_s / 4.0)
        return int((now_s - grace_s) * 1000) // step_ms * step_ms - step_ms

    def _judge(self, start_ms: int) -> None:
        """Judge the tick that starts there, for all streams."""
        end_s = (start_ms + self.thresholds.tick_ms) / 1000.0
        for stream in self._streams:
            if stream.key.variant != "pinned":
                self._judge_stream(stream, start_ms, end_s)
        known = {stream.key for stream in self._streams}
        self._judged = {key: found for key, found in self._judged.items() if key in known}
        self._judge_refusals(end_s)
        self._judge_silence(end_s)
        self._end_departed(end_s)

    def _judge_stream(self, stream: Stream, start_ms: int, end_s: float) -> None:
        stream.show_detectors(start_ms)
        pool = stream.pool(start_ms)
        assessment = assess(stream.version.layout, pool.cells, pool.rows) if pool.rows else None
        if assessment is not None and (pool.rows >= self.thresholds.minimum_rows or stream.key not in self._judged):
            self._judged[stream.key] = Judged(assessment, pool)
        faults = self._rates(stream.key) if stream is self._speaker(stream.key) else FaultRates(0)
        for reading in readings(assessment, faults, self.thresholds).values():
            self._decide(stream.key, reading, end_s)

    def _judge_refusals(self, end_s: float) -> None:
        """Judge the faults of versions that no stream speaks for: every one of their requests was refused."""
        for model, version in self._faults:
            key = StreamKey(model, version, "", "stable")
            if self._speaker(key) is None:
                for reading in readings(None, self._rates(key), self.thresholds).values():
                    self._decide(key, reading, end_s)

    def _judge_silence(self, end_s: float) -> None:
        for stream in self._streams:
            if stream.key.variant == "stable" and self._newest_stable(stream.key.model) is stream:
                last_s = stream.last_row_s or stream.first_seen_s
                silent_s = max(0.0, end_s - last_s)
                words = f"last row {clock_time(last_s)}", f"no row for {silent_s:.0f} s"
                movement = Movement("traffic", "silence_s", silent_s, 0.0, *words)
                self._decide(
                    stream.key, Reading("no-data", self.thresholds.silence_s, float("inf"), (movement,)), end_s
                )

    def _end_departed(self, end_s: float) -> None:
        """Resolve the alerts of streams that get no traffic any more while their model does, or whose model is gone."""
        patience_s = (self.thresholds.window_ticks + self.thresholds.clear_ticks) * self.thresholds.tick_s
        for alert in self._incidents.open():
            streams = self._streams.of_model(alert.model)
            mine = [s for s in streams if (s.key.version, s.key.variant) == (alert.version, alert.variant)]
            quiet_s = end_s - max((s.last_row_s or 0.0 for s in mine), default=self._started_s)
            model_lives = any(end_s - (s.last_row_s or 0.0) <= patience_s for s in streams)
            model_left = not streams and quiet_s > self.thresholds.silence_s
            if quiet_s > patience_s and (model_lives or model_left) and not self._is_refused(alert):
                self._incidents.put(resolve(alert, end_s, "the version no longer answers in this role"))

    def _is_refused(self, alert: Alert) -> bool:
        """Whether the version still gets requests, all of which its contract refuses."""
        book = self._faults.get((alert.model, alert.version))
        return alert.cause == "data-quality" and book is not None and book.rates().rows > 0

    def _decide(self, key: StreamKey, reading: Reading, end_s: float) -> None:
        name: AlertKey = (key.model, key.version, key.variant, reading.cause)
        alert = self._policy.decide(key, reading, self._incidents.get(name), end_s)
        if alert is not None:
            self._incidents.put(alert)

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
