"""What a report says, gathered from the admin API and the metrics page of a running gateway."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.commands.problem import ProblemReported
from gateway.commands.report.incidents import (
    Change,
    Incident,
    changes_of,
    concerns,
    incidents_of,
)
from gateway.metrics.page_reading import Traffic, read_traffic

if TYPE_CHECKING:
    from gateway.commands.admin_client import AdminClient

__all__ = ["Report", "VersionFacts", "gather"]

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version as the workers have it; ``state`` is that of each process."""

    version: str
    role: str
    digest: str
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One model over a period.

    ``traffic`` and ``drift`` are the totals and the last window as they are at ``made_at``: the gateway keeps no past
    of them. ``incidents`` and ``changes`` are those of the period, from the audit log. ``audit_head`` is the hash of
    the last record that was read, with which the log can be held against this report later.
    """

    model: str
    begin: datetime
    end: datetime
    made_at: datetime
    gateway: str
    route: dict[str, Any] | None
    versions: Sequence[VersionFacts]
    traffic: Sequence[Traffic]
    drift: dict[str, Any] | None
    incidents: Sequence[Incident]
    changes: Sequence[Change]
    audit_records: int
    audit_head: str


def gather(client: AdminClient, model: str, begin: datetime, end: datetime, made_at: datetime) -> Report:
    """Ask a gateway for everything; raise ``ProblemReported`` where it does not answer or does not know the model."""
    known = {found["model"]: found for found in client.get("models")["models"]}
    if model not in known:
        raise ProblemReported(f"there is no model {model!r}; there are {', '.join(sorted(known)) or 'none'}")
    records, count, head = [], 0, ""
    for record in _records(client):
        count, head = record["sequence"], record["hash"]
        if concerns(record, model) and begin <= datetime.fromisoformat(record["time"]) < end:
            records.append(record)
    return Report(
        model,
        begin,
        end,
        made_at,
        client.root,
        known[model]["route"],
        [_version(found) for found in known[model]["versions"]],
        read_traffic(client.metrics(), model),
        _drift(client, model),
        incidents_of(records),
        changes_of(records),
        count,
        head,
    )


def _records(client: AdminClient) -> Iterator[dict[str, Any]]:
    after = 0
    while page := client.get("audit", after=after, limit=_PAGE)["records"]:
        yield from page
        after = page[-1]["sequence"]


def _version(found: dict[str, Any]) -> VersionFacts:
    states = tuple(f"{name}: {told['state']}" for name, told in sorted(found["workers"].items()))
    return VersionFacts(found["version"], found["role"] or "", found["digest"] or "", states)


def _drift(client: AdminClient, model: str) -> dict[str, Any] | None:
    """Return the drift report; ``None`` where the watch has not heard of the model."""
    try:
        document: dict[str, Any] = client.get("models", model, "drift")
    except ProblemReported:
        return None
    return document
