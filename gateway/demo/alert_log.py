"""What the operator sees of the alerts over time: when each first fired, whom it named, when it was resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AlertLog", "Sighting"]


@dataclass(slots=True)
class Sighting:
    """One alert from its first appearance on. Times are those of the log's reader; ``named`` keeps the first order."""

    cause: str
    variant: str
    version: str
    first_seen_at: float
    severity: str
    calibration: str = "uncalibrated"
    fired_at: float | None = None
    resolved_at: float | None = None
    named: dict[str, None] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether the alert is not resolved."""
        return self.resolved_at is None


class AlertLog:
    """Turns snapshots of the alert list into sightings. An alert that leaves the list counts as resolved."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self._open: dict[str, Sighting] = {}

    def update(self, alerts: Iterable[dict[str, Any]], now: float) -> None:
        """Take one snapshot of the alerts, read at ``now``."""
        listed = {str(alert["id"]): alert for alert in alerts if alert["state"] != "resolved"}
        for key in self._open.keys() - listed.keys():
            self._open.pop(key).resolved_at = now
        for key, alert in listed.items():
            if key not in self._open:
                self._open[key] = self._begin(alert, now)
            _follow(self._open[key], alert, now)

    def open_sightings(self) -> list[Sighting]:
        """Return the alerts that are not resolved, oldest first."""
        return [sighting for sighting in self.sightings if sighting.is_open]

    def fired(self, cause: str, *, version: str) -> Sighting | None:
        """Return the first alert of this cause on this version that has fired."""
        found = (s for s in self.sightings if (s.cause, s.version) == (cause, version) and s.fired_at is not None)
        return next(found, None)

    def _begin(self, alert: dict[str, Any], now: float) -> Sighting:
        sighting = Sighting(alert["cause"], alert["variant"], alert["version"], now, alert["severity"])
        self.sightings.append(sighting)
        return sighting


def _follow(sighting: Sighting, alert: dict[str, Any], now: float) -> None:
    sighting.severity = alert["severity"]
    sighting.calibration = alert.get("calibration", sighting.calibration)
    sighting.named.update(dict.fromkeys(driver["name"] for driver in alert["drivers"]))
    if alert["state"] == "firing" and sighting.fired_at is None:
        sighting.fired_at = now
