"""Open alerts and their way to the store and the sinks."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from monitors.alerts import is_transition
from monitors.ports import AlertSink, AlertStore
from monitors.records import Alert

__all__ = ["AlertKey", "IncidentBook"]

AlertKey = tuple[str, str, str, str]
"""Model, version, variant, cause."""

logger = logging.getLogger(__name__)


class IncidentBook:
    """At most one open alert for each key, and the last resolved ones.

    A transition is saved before it is published. When the store fails, the alert is kept and saved at the next
    ``retry``; sinks hear of it at once, for a broken store must not silence a page.

    Parameters
    ----------
    store
        Durable home; ``None`` keeps alerts in memory only.
    sinks
        Told of every transition.
    resolved_kept
        How many resolved alerts are remembered.
    """

    def __init__(self, store: AlertStore | None, sinks: Sequence[AlertSink], *, resolved_kept: int = 100) -> None:
        self._store = store
        self._sinks = tuple(sinks)
        self._resolved: deque[Alert] = deque(maxlen=resolved_kept)
        self._unsaved: dict[str, Alert] = {}
        self._open = {key_of(alert): alert for alert in store.load_open()} if store else {}

    def get(self, key: AlertKey) -> Alert | None:
        """Return the open alert of the key."""
        return self._open.get(key)

    def last_resolved(self, key: AlertKey) -> Alert | None:
        """Return the key's alert that was resolved last, as long as it is remembered."""
        return next((alert for alert in reversed(self._resolved) if key_of(alert) == key), None)

    def open(self) -> list[Alert]:
        """Return the open alerts, oldest first."""
        return sorted(self._open.values(), key=lambda alert: (alert.since, alert.cause, alert.id))

    def all(self) -> list[Alert]:
        """Return the open alerts and then the resolved ones, the newest first."""
        return self.open() + list(reversed(self._resolved))

    def put(self, alert: Alert) -> None:
        """Take an alert's next form; save and publish it where something happened."""
        key = key_of(alert)
        before = self._open.get(key)
        if alert.state == "resolved":
            self._open.pop(key, None)
            self._resolved.append(alert)
        else:
            self._open[key] = alert
            self._resolved = deque((old for old in self._resolved if old.id != alert.id), self._resolved.maxlen)
        moved = is_transition(before, alert)
        if moved or before is None or len(before.drivers) != len(alert.drivers):
            self._unsaved[alert.id] = alert
            self.retry()
        if moved:
            self._publish(alert)

    def retry(self) -> None:
        """Save what could not be saved before."""
        if self._store is None:
            self._unsaved.clear()
            return
        for alert in tuple(self._unsaved.values()):
            try:
                self._store.save(alert)
            except Exception:
                logger.exception("alert %s is not saved yet", alert.id)
                return
            self._unsaved.pop(alert.id, None)

    def _publish(self, alert: Alert) -> None:
        for sink in self._sinks:
            sink.publish(alert)


def key_of(alert: Alert) -> AlertKey:
    """Return the key under which at most one alert is open."""
    return (alert.model, alert.version, alert.variant, alert.cause)
