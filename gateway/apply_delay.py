"""How long a change of a route takes to reach the traffic of this worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.metrics.shared import SharedCounters
from gateway.routing.document import RouteDocument
from monitors.ports import Clock

__all__ = ["ApplyDelay"]


class ApplyDelay:
    """Observes ``weir_route_apply_delay_seconds``. The first revision of a model is no change and is not observed."""

    def __init__(self, counters: SharedCounters, clock: Clock) -> None:
        self._seconds = counters.histogram("weir_route_apply_delay_seconds")
        self._clock = clock
        self._applied: Mapping[str, int] = {}

    def note(self, documents: Mapping[str, RouteDocument], applied: Mapping[str, int]) -> None:
        """Take the revision that is in force for each model now, and the documents they come from."""
        for model, revision in applied.items():
            document = documents.get(model)
            before = self._applied.get(model)
            if document is not None and before is not None and before < revision == document.revision:
                # Writer and reader may be two hosts: a clock that is behind must not make time negative.
                self._seconds.observe(max(0.0, self._clock.unix_s() - _unix_s(document.updated_at)))
        self._applied = dict(applied)


def _unix_s(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp()
