"""What the operator reads from the drift report: how far confidence has collapsed, and how often the shadow agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["DriftLog", "StreamReading"]


@dataclass(slots=True)
class StreamReading:
    """The newest figures of one stream, and the highest collapse index since the log was marked."""

    variant: str
    version: str
    collapse_index: float | None = None
    highest_collapse: float | None = None
    shadow_rows: int = 0
    agreement: float | None = None


class DriftLog:
    """Follows a model's drift reports. A figure that a report leaves out keeps its last value."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, str], StreamReading] = {}

    def update(self, report: dict[str, Any]) -> None:
        """Take one report."""
        for stream in report["streams"]:
            key = stream["variant"], stream["version"]
            _follow(self._readings.setdefault(key, StreamReading(*key)), stream)

    def mark(self) -> None:
        """Forget the highest collapse indices."""
        for reading in self._readings.values():
            reading.highest_collapse = None

    def readings(self) -> list[StreamReading]:
        """Return the readings of all streams, in the order of their first appearance."""
        return list(self._readings.values())

    def reading(self, variant: str, version: str) -> StreamReading:
        """Return the reading of a stream; an empty one where no report had it."""
        return self._readings.get((variant, version), StreamReading(variant, version))


def _follow(reading: StreamReading, stream: dict[str, Any]) -> None:
    index = (stream["confidence"] or {}).get("collapse_index")
    if index is not None:
        reading.collapse_index = index
        reading.highest_collapse = max(index, reading.highest_collapse or 0.0)
    if stream["shadow"] is not None:
        reading.shadow_rows, reading.agreement = stream["shadow"]["rows"], stream["shadow"]["agreement"]
