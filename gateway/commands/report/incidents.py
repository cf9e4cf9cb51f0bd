"""From audit records to what happened: incidents of the monitors, and changes that people and rollouts made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "Incident", "changes_of", "concerns", "incidents_of"]

_SEVERITIES = ("info", "warning", "page")

Record = Mapping[str, Any]


@dataclass(slots=True)
class Incident:
    """One alert from its first record in the period to its last. Times are Unix seconds; ``None`` is still open."""

    id: str
    version: str
    variant: str
    cause: str
    severity: str
    summary: str
    since: float
    resolved_at: float | None = None
    calibration: str = ""
    is_false: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the audit log that is no step of an alert. ``time`` is RFC 3339."""

    sequence: int
    time: str
    actor: str
    action: str
    resource: str
    reason: str


def concerns(record: Record, model: str) -> bool:
    """Return whether a record speaks of a model: by its resource or, for an alert, by what was alerted on.

    >>> concerns({"resource": "route/m", "after": None}, "m"), concerns({"resource": "route/other"}, "m")
    (True, False)
    >>> concerns({"resource": "alert/7", "after": {"model": "m"}}, "m")
    True
    """
    kind, _, name = str(record["resource"]).partition("/")
    if kind == "alert":
        told = record.get("after") or record.get("before") or {}
        return bool(told.get("model") == model)
    return name == model or name.startswith(f"{model}/")


def incidents_of(records: Iterable[Record]) -> list[Incident]:
    """Return the incidents that alert records tell of, by when they began."""
    found: dict[str, Incident] = {}
    for record in records:
        alert = record.get("after")
        if not str(record["resource"]).startswith("alert/") or not alert:
            continue
        key = str(record["resource"]).partition("/")[2]
        if record["action"] == "alert.mark-false":
            if key in found:
                found[key].is_false = True
            continue
        known = found.setdefault(key, _opened(key, alert))
        known.severity = max(known.severity, alert["severity"], key=_SEVERITIES.index)
        known.summary = alert["summary"] if alert["state"] != "resolved" else known.summary
        known.resolved_at = alert.get("resolved_at") if alert["state"] == "resolved" else None
    return sorted(found.values(), key=lambda incident: incident.since)


def changes_of(records: Iterable[Record]) -> Sequence[Change]:
    """Return everything else that was changed, oldest first."""
    return [
        Change(
            record["sequence"],
            record["time"],
            record["actor"].get("subject", ""),
            record["action"],
            record["resource"],
            record["reason"],
        )
        for record in records
        if not str(record["resource"]).startswith("alert/") or record["action"] == "alert.mark-false"
    ]


def _opened(key: str, alert: Mapping[str, Any]) -> Incident:
    return Incident(
        key,
        alert["version"],
        alert["variant"],
        alert["cause"],
        alert["severity"],
        alert["summary"],
        alert["since"],
        calibration=alert.get("calibration", ""),
    )
