"""Which version served which share of a model's requests, from when until when: audit records in, intervals out.

Pure. A route record holds the whole route before and after; a rollout record holds the rollout, and what its move made
of the route follows from the function that the gateway moved it by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.audit.route_record import RecordUnusable, cleared, moved, route_of
from gateway.rollout.document import rollout_key
from gateway.routing.codec import route_key
from gateway.routing.document import RouteDocument
from gateway.state.store import AuditRecord

__all__ = ["History", "Interval", "history_of", "in_force", "moment_of", "of_revision"]


@dataclass(frozen=True, slots=True)
class Interval:
    """One route in force, from ``begin`` until ``end`` (RFC 3339, UTC; ``None`` while nothing has followed).

    Parameters
    ----------
    route
        ``None`` after the route was deleted.
    digests
        By version, as the log last told them; versions of which it told none are left out.
    sequence
        Record that began it; 0 where the log begins later and its first record tells what was there before.
    by, reason, action
        Who changed it, why, and what was asked for.
    evidence
        By whom the versions were approved that got more traffic, and what each gate of a rollout said, in words.
    """

    begin: str
    route: RouteDocument | None
    sequence: int
    by: str
    reason: str
    action: str
    digests: dict[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    end: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Intervals in the order of the log, and what could not be read or does not fit, in words.

    ``signers`` names, by version, the key whose signature held when the version was loaded last.
    """

    intervals: tuple[Interval, ...]
    notes: tuple[str, ...]
    signers: dict[str, str] = field(default_factory=dict)


def history_of(model: str, records: Iterable[AuditRecord]) -> History:
    """Return what served a model.

    Parameters
    ----------
    records
        In the order of the log; those of other resources are passed over.
    """
    story = _Story()
    for record in records:
        try:
            if record.resource == route_key(model):
                story.take_route(record, model)
            elif record.resource == rollout_key(model):
                story.take_rollout(record)
            elif record.resource.startswith(f"digest/{model}/"):
                story.take_load(record, record.resource.rpartition("/")[2])
        except RecordUnusable as unusable:
            story.notes.append(f"record {record.sequence}: {unusable}; what it changed is not known")
    return History(tuple(story.identified()), tuple(story.notes), story.signers)


def in_force(history: History, at: datetime) -> Interval | None:
    """Return the interval at a time, ``None`` before the first; of changes at one time the last counts.

    Notes
    -----
    The order of the log counts more than its clocks: a change is never in force before the one that it replaced.
    """
    found, latest = None, datetime.min.replace(tzinfo=UTC)
    for interval in history.intervals:
        latest = max(latest, moment_of(interval.begin))
        if latest > at:
            break
        found = interval
    return found


def of_revision(history: History, revision: int) -> Interval | None:
    """Return the interval of a route revision, ``None`` where the log has none."""
    found = (one for one in history.intervals if one.route is not None and one.route.revision == revision)
    return next(found, None)


def moment_of(time: str) -> datetime:
    """Read the time of a record.

    Raises
    ------
    RecordUnusable
        It is none, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError(time)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RecordUnusable(f"{time[:40]!r} is no time with a zone") from error


class _Story:
    """The intervals so far."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self.notes: list[str] = []
        self.signers: dict[str, str] = {}
        self._admitted: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._view: Any = None
        self._told: RouteDocument | None = None

    def take_route(self, record: AuditRecord, model: str) -> None:
        # Each record tells the route twice, and mostly the one before it told it already.
        before = self._told if record.before == self._view else route_of(record.before, model)
        after = route_of(record.after, model)
        if before is not None and not self.intervals:
            self._begin_before(before)
        elif self._revision() != (before.revision if before else 0):
            self.notes.append(
                f"record {record.sequence}: replaces revision {before.revision if before else 'none'}, and the records "
                f"before it lead to {self._revision() or 'none'}: changes between them are not in the log"
            )
        self._view, self._told = record.after, after
        self._learn(record.evidence.get("digests"))
        self._follow(record, after, record.reason, cleared(record))

    def take_rollout(self, record: AuditRecord) -> None:
        move = moved(record)
        if move is None:
            return
        if move.digest:
            self._learn({move.candidate: move.digest})
        route = self.intervals[-1].route if self.intervals else None
        if route is None:
            if move.touches_a_route:
                self.notes.append(f"record {record.sequence}: the route that its rollout moved is not in the log")
            return
        after = move.route_after(route)
        if after is not None:
            self._follow(record, after, record.reason, move.evidence)

    def take_load(self, record: AuditRecord, version: str) -> None:
        if record.action == "version.admit":
            known, member = self._admitted, "digest"
        elif record.action == "version.signature":
            known, member = self.signers, "signed_by"
        else:
            return
        told = record.after.get(member) if isinstance(record.after, dict) else None
        if not isinstance(told, str):
            raise RecordUnusable(f"it names no {member} of the version")
        known[version] = told

    def identified(self) -> Iterator[Interval]:
        """Yield the intervals, with the digest of the first load where the log told none: it is that for good."""
        for one in self.intervals:
            yield replace(one, digests={**self._admitted, **one.digests})

    def _begin_before(self, route: RouteDocument) -> None:
        try:
            moment_of(route.updated_at)
        except RecordUnusable:
            return
        told = "in force when the log begins"
        self.intervals.append(Interval(route.updated_at, route, 0, route.updated_by, route.reason, told))

    def _follow(
        self, record: AuditRecord, after: RouteDocument | None, reason: str, evidence: tuple[str, ...] = ()
    ) -> None:
        begin = moment_of(record.time)
        if self.intervals:
            last = self.intervals[-1]
            if begin < moment_of(last.begin):
                self.notes.append(
                    f"record {record.sequence}: its time is before that of the change it follows: a clock was set back"
                )
            self.intervals[-1] = replace(last, end=record.time)
        by = record.actor.get("subject", "")
        digests = dict(self._digests)
        self.intervals.append(
            Interval(record.time, after, record.sequence, by, reason, record.action, digests, evidence)
        )

    def _revision(self) -> int:
        route = self.intervals[-1].route if self.intervals else None
        return route.revision if route else 0

    def _learn(self, digests: Any) -> None:
        if isinstance(digests, dict):
            self._digests |= {name: told for name, told in digests.items() if isinstance(told, str) and told}
