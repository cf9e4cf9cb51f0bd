"""The monitors as a library: fit on a table, feed rows in batches of any size, read what they say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from monitors.columns import Columns, features_of
from monitors.evidence.budget import Budget
from monitors.evidence.changes import describe_change
from monitors.evidence.channel import Cause, Channel
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, Event, EvidenceMonitor, NamedDriver
from monitors.evidence.recent import RecentCounts
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import TENSOR, Rows
from monitors.evidence.rules import Rule
from monitors.evidence.saved import (
    at_least_0,
    numbers_of,
    restored_memory,
    restored_state,
    save_memory,
    save_monitor,
)
from monitors.evidence.ticks import TickCutter, Ticks, counts_between
from monitors.given import given_rows, require_answers, require_reference, seconds_of
from monitors.importance import EQUAL, Importance
from monitors.live.distances import Distances, Kind
from monitors.monitor_state import (
    MonitorSettings,
    MonitorState,
    finite_or_none,
    model_digest,
    read_state,
    write_state,
)
from monitors.paging import Calibration
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["DriftMonitor", "Finding", "Moved"]

BLOCK_ROWS = 4096

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moved:
    """A feature, joint channel or output that moved, with its e-value in nats and how it was and is."""

    name: str
    evidence_nats: float
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One page or warning.

    Parameters
    ----------
    level
        ``page``: within the budget of false pages. ``warning``: seven times as often, and whatever an uncalibrated
        monitor says.
    cause
        What it is about.
    row
        Rows fed until then.
    time_s
        Time of the last of them, where times are given.
    rows
        Rows since the monitor began or last paged.
    evidence_nats, threshold_nats
        How sure it is, and what was needed; ``None`` for a rule.
    drivers
        Who moved, at a false discovery rate of 10 %: features and outputs, then joint channels and exact values, each
        by evidence or, where features differ in importance, by effect times importance.
    calibration
        What the promise rests on.
    rule
        The rule that was broken; it needs no evidence and no calibration.
    """

    level: Literal["warning", "page"]
    cause: Cause
    row: int
    time_s: float | None
    rows: int
    evidence_nats: float | None
    threshold_nats: float | None
    drivers: tuple[Moved, ...]
    calibration: Calibration
    rule: Rule | None = None


class DriftMonitor:
    """Watches one stream of rows and, where there are any, a model's answers to them.

    Parameters
    ----------
    model
        The fitted part: see ``fit``, ``monitors.evidence.document.read_model``.
    budget
        False pages that are allowed.
    ticks
        Where summaries end: after ten rows if nothing is said.
    calibration
        What the model was fitted on; a reference that is too short makes it ``uncalibrated``.
    importance
        How much each feature counts where drivers are put in order: at least 0, and 1 for those that are left out.
        Which drivers are named does not depend on it.
    trace
        Told after each summary how many rows there were until then, and the evidence of each cause as a share of the
        level at which it pages.

    Raises
    ------
    ValueError
        An importance is of no feature, negative or not finite.

    Notes
    -----
    What it says depends on the rows and their order, never on how they were split into batches. Memory does not grow.
    Not safe for several threads.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = {"age": rng.normal(40, 10, 20_000), "plan": rng.choice(["basic", "pro"], 20_000)}
    >>> monitor = DriftMonitor.fit(table, budget=Budget(rows_between_false_pages=1_000_000))
    >>> monitor.update({"age": rng.normal(40, 10, 500), "plan": rng.choice(["basic", "pro"], 500)})
    []
    >>> found = monitor.update({"age": rng.normal(55, 10, 500), "plan": rng.choice(["basic", "pro"], 500)})
    >>> page = next(finding for finding in found if finding.level == "page")
    >>> page.row, page.cause, page.drivers[0].name
    (530, 'inputs', 'age')
    """

    def __init__(
        self,
        model: EvidenceModel,
        *,
        budget: Budget | None = None,
        ticks: Ticks | None = None,
        calibration: Calibration = "profile",
        importance: Mapping[str, float] | None = None,
        trace: Callable[[int, Mapping[Cause, float]], None] | None = None,
    ) -> None:
        self.model = model
        self.ticks = ticks or Ticks()
        self.calibration: Calibration = calibration if model.is_calibrated else "uncalibrated"
        self.rows_seen = self.summaries = 0
        self._monitor = EvidenceMonitor(model, Config(budget or Budget()))
        self._cutter = TickCutter(self.ticks)
        self._memory = RowMemory()
        self._recent = RecentCounts()
        self._pending_cb = np.zeros_like(model.counts_cb)
        self._newest_s: float | None = None
        self._importance = Importance.checked(importance or {}, [feature.name for feature in model.channels.features])
        self._trace = trace

    @classmethod
    def fit(
        cls,
        table: Columns | Rows,
        features: Sequence[FeatureSchema] | None = None,
        *,
        scores: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        output: OutputSchema = TENSOR,
        segment: str | None = None,
        budget: Budget | None = None,
        ticks: Ticks | None = None,
        calibration: Calibration = "profile",
        importance: Mapping[str, float] | None = None,
    ) -> DriftMonitor:
        """Fit a monitor on reference rows, in the order in which they came.

        Parameters
        ----------
        table
            Columns by name, or rows. Tens of thousands of rows let small changes be seen.
        features
            What the columns hold; needed for ``Rows``, else taken from the table.
        scores, labels
            The model's answers: probabilities (n, k) or values (n,), and indices of classes (n,).
        output
            What the model answers; needed for scores and labels.
        segment
            A feature by whose most frequent values rows are told apart: what moves only within one of them is found,
            too. A value needs 1,000 rows, and not all of them.

        Raises
        ------
        ValueError
            There are no rows, columns, features, answers and output do not fit each other, the segment's feature has
            too few rows of each value, one value only or none, there are too many features for it, or an importance is
            no such.
        """
        if features is None:
            if isinstance(table, Rows):
                raise ValueError("rows without names need features")
            features = features_of(table)
        rows = given_rows(table, features, scores, labels)
        require_reference(rows, features, output)
        model = EvidenceModel.fit(rows, features, output, segment=segment)
        if segment is not None and model.channels.segmented is None:
            raise ValueError(model.channels.refusal_of_segments(rows, segment))
        return cls(model, budget=budget, ticks=ticks, calibration=calibration, importance=importance)

    def update(
        self,
        table: Columns | Rows,
        *,
        scores: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        times_s: npt.ArrayLike | None = None,
    ) -> list[Finding]:
        """Take a batch of rows; return what they say, oldest first.

        Parameters
        ----------
        table
            Columns by name, or rows, as at the fit.
        scores, labels
            The model's answers, as at the fit.
        times_s : (n,)
            Seconds since any moment, or NumPy's ``datetime64``; needed where ticks have a length. Rows come in the
            order of their times: one that is older than one before it counts as of that one's time, and more than two
            hours are refused.

        Raises
        ------
        ValueError
            Columns, answers or times do not fit; then no row of the batch is taken.
        """
        channels = self.model.channels
        rows = given_rows(table, channels.features, scores, labels)
        if not isinstance(table, Rows):
            require_answers(rows, channels.answers)
        times_n = None if times_s is None else seconds_of(times_s, len(rows))
        self._cutter.check(len(rows), times_n)
        found: list[Finding] = []
        for start in range(0, len(rows), BLOCK_ROWS):
            stop = start + BLOCK_ROWS
            found += self._take(rows.part(start, stop), None if times_n is None else times_n[start:stop])
        return found

    def finish(self) -> list[Finding]:
        """End the last summary, if it holds enough rows; what is left else is not judged."""
        return self._end(self.rows_seen, self._newest_s) if self._cutter.finish() else []

    def levels(self) -> dict[Cause, float]:
        """Return the evidence of each cause as a share of the level at which it pages."""
        thresholds = self._monitor.thresholds
        return {cause: level / thresholds[cause] for cause, level in self._monitor.evidence().items()}

    def state(self) -> bytes:
        """Return all that changes as JSON text, a few hundred kilobytes; no row is in it.

        A monitor of the same model, budget, ticks and calibration that is restored from it goes on as this one would.
        """
        sizes, counts = self._recent.state()
        return write_state(
            MonitorState(
                model=model_digest(self.model),
                settings=self._settings(),
                rows_seen=self.rows_seen,
                summaries=self.summaries,
                newest_s=finite_or_none(self._newest_s),
                cut_rows=self._cutter.pending_rows,
                cut_s=finite_or_none(self._cutter.newest_s),
                monitor=save_monitor(self._monitor),
                repeats=self._monitor.state()["repeats"],
                memory=save_memory(self._memory),
                recent_sizes=tuple(sizes),
                recent_counts=tuple(tuple(counts_cb.ravel().tolist()) for counts_cb in counts),
            )
        )

    def restore(self, state: bytes) -> None:
        """Continue from a saved state, in another process perhaps.

        Parameters
        ----------
        state
            What ``state`` gave, of a monitor of the same model, budget, ticks and calibration.

        Raises
        ------
        ValueError
            It is another's, was changed or cut short, or is of a newer release; then this monitor is as it was.
        """
        saved = read_state(state)
        digest, told = model_digest(self.model), self._settings().differences(saved.settings)
        if saved.model != digest:
            raise ValueError(
                f"state of the model {saved.model}, and this one is {digest}: read that model, or begin anew"
            )
        if told:
            raise ValueError(f"state of a monitor with {told}: make this one alike, or begin without it")
        shape = self.model.counts_cb.shape
        try:
            monitor = restored_state(self._monitor, saved.monitor) | {"repeats": at_least_0(saved.repeats)}
            memory = restored_memory(saved.memory)
            counts = [numbers_of(counts_cb, shape, np.int64) for counts_cb in saved.recent_counts]
            recent = RecentCounts.restored(saved.recent_sizes, counts)
            numbers = [at_least_0(n) for n in (saved.rows_seen, saved.summaries, saved.cut_rows)]
            self._monitor.restore(monitor)
        except OverflowError as exc:
            raise ValueError(f"state with numbers that no monitor has: {exc}") from exc
        self._memory, self._recent = memory, recent
        self._pending_cb = np.array(saved.monitor.pending, dtype=np.int64).reshape(shape)
        self.rows_seen, self.summaries, self._cutter.pending_rows = numbers
        self._newest_s = saved.newest_s
        self._cutter.newest_s = -math.inf if saved.cut_s is None else saved.cut_s

    def _settings(self) -> MonitorSettings:
        return MonitorSettings.of(self._monitor.config.budget, self.ticks, self.calibration)

    def _take(self, rows: Rows, times_n: Times | None) -> list[Finding]:
        ends = self._cutter.ends(len(rows), times_n)
        counts = counts_between(self.model.channels, rows, ends, self._memory)
        found: list[Finding] = []
        begin = 0
        for end, counts_cb in zip(ends, counts, strict=False):
            self._newest_s = self._newest(times_n, end)
            found += self._add(counts_cb, end - begin)
            found += self._end(self.rows_seen, self._newest_s)
            begin = end
        self._newest_s = self._newest(times_n, len(rows))
        return found + self._add(counts[-1], len(rows) - begin)

    def _add(self, counts_cb: npt.NDArray[np.int64], rows: int) -> list[Finding]:
        """Add counts to the summary; return the rules that they break."""
        self._pending_cb = self._pending_cb + counts_cb
        self._monitor.add_counts(counts_cb, rows)
        self.rows_seen += rows
        return [self._finding(event, self.rows_seen, self._newest_s) for event in self._monitor.rule_events()]

    def _newest(self, times_n: Times | None, end: int) -> float | None:
        return self._newest_s if times_n is None or not end else float(times_n[end - 1])

    def _end(self, row: int, time_s: float | None) -> list[Finding]:
        self._recent.add(self._pending_cb)
        self._pending_cb = np.zeros_like(self._pending_cb)
        self.summaries += 1
        events = self._monitor.end_summary()
        if self._trace is not None:
            said = {event.cause: event.evidence_nats for event in events if event.evidence_nats is not None}
            shares = {cause: math.exp(nats) / self._monitor.thresholds[cause] for cause, nats in said.items()}
            self._trace(row, {**self.levels(), **shares})
        return [self._finding(event, row, time_s) for event in events]

    def _finding(self, event: Event, row: int, time_s: float | None) -> Finding:
        return Finding(
            level="warning" if self.calibration == "uncalibrated" and event.rule is None else event.level,
            cause=event.cause,
            row=row,
            time_s=time_s,
            rows=event.rows,
            evidence_nats=event.evidence_nats,
            threshold_nats=event.threshold_nats,
            drivers=tuple(self._moved(driver) for driver in self._in_order(event.drivers)),
            calibration=self.calibration,
            rule=event.rule,
        )

    def _in_order(self, drivers: Sequence[NamedDriver]) -> list[NamedDriver]:
        """Return drivers by evidence or, where features differ in importance, by effect times importance."""
        if self._importance == EQUAL:
            return sorted(drivers, key=_is_derived)
        effects = self._effects([driver.channel for driver in drivers])

        def place(driver: NamedDriver) -> tuple[bool, float, float]:
            channel, effect = driver.channel, effects[driver.channel]
            weight = self._importance.of(channel.name) if channel.cause == "inputs" else 1.0
            return _is_derived(driver), -effect * weight, -effect

        return sorted(drivers, key=place)

    def _effects(self, channels: Sequence[Channel]) -> dict[Channel, float]:
        """Return how far channels have moved: among their values, or as a share of missing and unseen ones."""
        places = {channel: self.model.channels.listed.index(channel) for channel in channels}
        counts_cb = np.zeros_like(self.model.counts_cb)
        for c in places.values():
            counts_cb[c] = self._recent.since_change(c, self.model.counts_cb[c])
        distances = Distances(self.model)
        effect_c = np.maximum(*(distances.all(counts_cb, kind)[0] for kind in get_args(Kind)))
        return {channel: float(effect_c[c]) for channel, c in places.items()}

    def _moved(self, driver: NamedDriver) -> Moved:
        channels = self.model.channels
        c = channels.listed.index(driver.channel)
        before_b = self.model.counts_cb[c]
        before, after = describe_change(channels, c, before_b, self._recent.since_change(c, before_b))
        return Moved(driver.channel.name, driver.evidence_nats, before, after)


def _is_derived(driver: NamedDriver) -> bool:
    return not driver.channel.is_single
