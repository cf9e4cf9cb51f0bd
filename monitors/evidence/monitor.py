"""The evidence monitor: rows or counts in, events out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.budget import DAYS_A_WEEK, Budget
from monitors.evidence.channel import Cause, Channel
from monitors.evidence.detector import EDetector
from monitors.evidence.drivers import named_drivers
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import TENSOR, Rows
from monitors.evidence.rules import Rule, Rules
from monitors.evidence.table import Allowance
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["Config", "Event", "EvidenceMonitor", "NamedDriver"]

REPLAYED_SUMMARIES = 256

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Config:
    """Budget, what counts as unchanged, and whether dependence is learned from the order of the reference's rows."""

    budget: Budget = field(default_factory=Budget)
    allowance: Allowance = field(default_factory=Allowance)
    learns_dependence: bool = True


@dataclass(frozen=True, slots=True)
class NamedDriver:
    """A channel that moved, with its e-value in nats."""

    channel: Channel
    evidence_nats: float


@dataclass(frozen=True, slots=True)
class Event:
    """What a summary said.

    Parameters
    ----------
    level
        ``page``: within the budget of false pages. ``warning``: seven times as often.
    cause
        What the evidence is about.
    evidence_nats, threshold_nats
        Logarithms of the e-detector and of the level it crossed; ``None`` for a rule.
    drivers
        Channels named at a false discovery rate of 10 %, largest evidence first; empty where no single one suffices.
    rows
        Rows since the monitor began or last restarted.
    rows_seen
        Rows since the monitor began.
    rule
        The rule that was broken; it needs no evidence.
    leading
        The channel that has most of the evidence, whether or not it suffices to name it; ``None`` for a rule.
    """

    level: Literal["warning", "page"]
    cause: Cause
    evidence_nats: float | None
    threshold_nats: float | None
    drivers: tuple[NamedDriver, ...]
    rows: int
    rows_seen: int
    rule: Rule | None = None
    leading: Channel | None = None


class EvidenceMonitor:
    """Watches one stream of answers of one version.

    Parameters
    ----------
    model
        The fitted part.
    config
        Budget; the rest acts at the fit.

    Notes
    -----
    A summary ends when its caller says so (``is_due``), or in ``update`` after ``summary_rows`` rows. What is decided
    depends on the counts of whole summaries, never on how their rows were split over batches, workers or hosts. Only
    the rule "nothing new" counts whole batches (``monitors.evidence.rules``). Memory: a table of channels x cells x
    alternatives (about 0.5 MB at 30 features) and two numbers a component, whatever the traffic.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> schema = [FeatureSchema(name, "number", "float64") for name in ("age", "pay")]
    >>> config = Config(Budget(rows_between_false_pages=1e6))
    >>> monitor = EvidenceMonitor.fit(Rows(rng.normal(size=(20_000, 2))), schema, config=config)
    >>> monitor.update(Rows(rng.normal(size=(10, 2))))
    []
    >>> moved = [event for _ in range(20) for event in monitor.update(Rows(rng.normal(1.0, 1.0, size=(10, 2))))]
    >>> moved[0].level, moved[0].cause, moved[0].rows <= 100
    ('warning', 'inputs', True)
    """

    def __init__(self, model: EvidenceModel, config: Config | None = None) -> None:
        self.model = model
        self.config = config or Config()
        self.thresholds = self.config.budget.thresholds(model.causes)
        self._detector = EDetector(model.table.weights_ck)
        weights_c = model.channel_weights()
        self._members = {
            cause: np.where([channel.cause == cause for channel in model.channels.listed], weights_c, 0.0)
            for cause in model.causes
        }
        self._warned: set[Cause] = set()
        self._rows = self._rows_seen = self._pending_rows = 0
        self._pending_cb: Ints = np.zeros_like(model.counts_cb)
        self._memory = RowMemory()
        self._rules = Rules(model)
        self._broken_rules: set[Rule] = set()

    @classmethod
    def fit(
        cls,
        rows: Rows,
        features: Sequence[FeatureSchema],
        output: OutputSchema = TENSOR,
        *,
        segment: str | None = None,
        config: Config | None = None,
    ) -> EvidenceMonitor:
        """Fit a monitor on reference rows, in the order in which they came.

        Parameters
        ----------
        rows
            Reference; tens of thousands of rows let small changes be seen.
        features
            Features in the order of the columns.
        output
            What the version answers.
        segment
            Feature by whose values rows are told apart.
        config
            Budget, what counts as unchanged, dependence.
        """
        config = config or Config()
        model = EvidenceModel.fit(
            rows,
            features,
            output,
            segment=segment,
            allowance=config.allowance,
            learns_dependence=config.learns_dependence,
        )
        return cls(model, config)

    @property
    def pending_rows(self) -> int:
        """Rows of the summary that has not ended."""
        return self._pending_rows

    @property
    def rows_since_restart(self) -> int:
        """Rows of the summaries since the monitor began or last restarted."""
        return self._rows

    def is_due(self, elapsed_s: float) -> bool:
        """Whether the summary that began so long ago may end: after a second, and with ten rows (both configured)."""
        budget = self.config.budget
        return elapsed_s >= budget.summary_s and self._pending_rows >= budget.summary_rows

    def count(self, rows: Rows) -> None:
        """Add rows, in the order in which they came, to the summary without ending it."""
        self.add_counts(self.model.channels.counts(rows, self._memory), len(rows))

    def update(self, rows: Rows) -> list[Event]:
        """Count rows; return the rules that they break and, once the summary holds enough rows, what it says."""
        self.count(rows)
        is_full = self._pending_rows >= self.config.budget.summary_rows
        return self.rule_events() + (self.end_summary() if is_full else [])

    def replay(self, rows: Rows) -> list[Event]:
        """Return what a whole table says, cut into summaries of ``summary_rows``; a short end is left out."""
        events = []
        size = self.config.budget.summary_rows
        for start in range(0, len(rows), size * REPLAYED_SUMMARIES):
            part = rows.part(start, start + size * REPLAYED_SUMMARIES)
            for counts_cb in self.model.channels.block_counts(part, size, self._memory):
                self.add_counts(counts_cb, size)
                events += self.rule_events() + self.end_summary()
        return events

    def add_counts(self, counts_cb: Ints, rows: int) -> None:
        """Add counts of ``rows`` rows, of this or another worker, to the summary.

        Where the model counts repeated rows once, whoever counts keeps a ``RowMemory`` for each source of rows.

        Raises
        ------
        ValueError
            When they are of other channels.
        """
        if counts_cb.shape != self._pending_cb.shape:
            raise ValueError(f"counts of shape {counts_cb.shape}, expected {self._pending_cb.shape}")
        self._pending_cb += counts_cb
        self._pending_rows += rows
        self._broken_rules.update(self._rules.take(counts_cb, rows))

    def rule_events(self) -> list[Event]:
        """Return pages about rules that were broken since this was last asked, each rule once.

        They end no summary and restart nothing: evidence is kept.
        """
        events = [self._rule_event(rule) for rule in sorted(self._broken_rules)]
        self._broken_rules.clear()
        return events

    def end_summary(self) -> list[Event]:
        """End the summary; return what it said. A cause restarts at its page. Without rows, nothing happens."""
        if not self._pending_rows:
            return []
        self._detector.update(self.model.table.log_ratios(self._pending_cb))
        self._rows += self._pending_rows
        self._rows_seen += self._pending_rows
        self._begin_summary()
        levels = self.evidence()
        events = [self._event(cause, level) for cause, level in levels.items() if self._speaks(cause, level)]
        self._warned |= {event.cause for event in events}
        for event in events:
            if event.level == "page":
                self._restart_cause(event.cause)
        return events

    def evidence(self) -> dict[Cause, float]:
        """Return the e-detector of each cause."""
        sums_c = self._detector.sums_c()
        return {cause: float(weights_c @ sums_c) for cause, weights_c in self._members.items()}

    def within(self) -> dict[Cause, dict[str, float]]:
        """Return the part of each segment in the e-detector of each cause: what it would be if all else were silent."""
        channels = self.model.channels
        names = channels.segmented.names(channels.features) if channels.segmented else ()
        place_c = np.array([-1 if channel.segment is None else channel.segment for channel in channels.listed])
        sums_c = self._detector.sums_c()
        return {
            cause: {name: float((weights_c * sums_c)[place_c == place].sum()) for place, name in enumerate(names)}
            for cause, weights_c in self._members.items()
        }

    def restart(self) -> None:
        """Forget all evidence: at a page, after a change of version, when a baseline is accepted."""
        self._detector.reset()
        self._warned.clear()
        self._rows = 0

    def forget(self, which_c: npt.NDArray[np.bool_]) -> None:
        """Forget the evidence of some channels, (c,) bool, of which nothing is heard any more: it only becomes less."""
        self._detector.reset_channels(which_c)

    def _restart_cause(self, cause: Cause) -> None:
        self._detector.reset_channels(self._members[cause] > 0.0)
        self._warned.discard(cause)
        self._rows = 0

    def state(self) -> dict[str, Any]:
        """Return all that changes, as arrays, numbers and strings: a restored monitor gives the same events."""
        return {
            **self._detector.state(),
            "model": self.model.digest,
            "pending": self._pending_cb.copy(),
            "pending_rows": self._pending_rows,
            "memory": self._memory.state(),
            "repeats": self._rules.repeats,
            "rows": self._rows,
            "rows_seen": self._rows_seen,
            "warned": sorted(self._warned),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises
        ------
        ValueError
            When it belongs to another model, is not whole, or holds what no monitor can: then nothing changes.
        """
        absent = sorted(self.state().keys() - state.keys())
        if absent:
            raise ValueError(f"state without {absent}: it was cut short, or is of another release; begin without it")
        if state["model"] != self.model.digest:
            raise ValueError(f"state of model {state['model']}, expected {self.model.digest}")
        pending_cb = np.array(state["pending"], dtype=np.int64)
        numbers = [int(state[name]) for name in ("pending_rows", "rows", "rows_seen", "repeats")]
        if pending_cb.shape != self._pending_cb.shape or (pending_cb < 0).any() or min(numbers) < 0:
            raise ValueError("state with counts that no monitor of this model can have; begin without it")
        if not set(state["warned"]) <= set(self.model.causes):
            raise ValueError(f"state that warned of {sorted(state['warned'])}, expected some of {self.model.causes}")
        memory = RowMemory()
        try:
            memory.restore(state["memory"])
        except (KeyError, TypeError, ValueError) as exc:
            raise ValueError("state with a memory of rows that is not whole; begin without it") from exc
        self._detector.restore(state)
        self._pending_cb, self._memory, self._warned = pending_cb, memory, set(state["warned"])
        self._pending_rows, self._rows, self._rows_seen, self._rules.repeats = numbers

    def _begin_summary(self) -> None:
        self._pending_cb = np.zeros_like(self.model.counts_cb)
        self._pending_rows = 0

    def _speaks(self, cause: Cause, level: float) -> bool:
        """Whether a cause pages, or warns for the first time since the restart."""
        threshold = self.thresholds[cause]
        return level >= threshold or (level >= threshold / DAYS_A_WEEK and cause not in self._warned)

    def _event(self, cause: Cause, level: float) -> Event:
        threshold = self.thresholds[cause]
        pages = level >= threshold
        crossed = threshold if pages else threshold / DAYS_A_WEEK
        return Event(
            level="page" if pages else "warning",
            cause=cause,
            evidence_nats=math.log(level),
            threshold_nats=math.log(crossed),
            drivers=self._drivers(),
            rows=self._rows,
            rows_seen=self._rows_seen,
            leading=self.model.channels.listed[int((self._members[cause] * self._detector.sums_c()).argmax())],
        )

    def _rule_event(self, rule: Rule) -> Event:
        cause: Cause = "broken" if rule == "broken answer" else "inputs"
        rows = self._pending_rows
        return Event("page", cause, None, None, (), self._rows + rows, self._rows_seen + rows, rule)

    def _drivers(self) -> tuple[NamedDriver, ...]:
        e_values_c = self._detector.e_values_c()
        listed = self.model.channels.listed
        return tuple(NamedDriver(listed[c], math.log(e_values_c[c])) for c in named_drivers(e_values_c).tolist())
