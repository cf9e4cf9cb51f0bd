"""What operators have said of alerts, for those who show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gateway.state.acknowledgements import Acknowledgement
from monitors.records import Alert, Page

__all__ = ["AlertNotes"]


class AlertNotes:
    """Acknowledgements, and pages that were marked false, by alert. Taken as a whole each time."""

    def __init__(self) -> None:
        self._acknowledged: Mapping[str, Acknowledgement] = {}
        self._pages: Mapping[str, Page] = {}

    def take(self, acknowledged: Sequence[Acknowledgement], pages: Sequence[Page]) -> None:
        """Take what is kept now."""
        self._acknowledged = {each.alert_id: each for each in acknowledged}
        self._pages = {page.alert_id: page for page in pages}

    def view(self, alert: Alert) -> dict[str, Any]:
        """Return an alert with what was said of it, ready for JSON."""
        seen, page = self._acknowledged.get(alert.id), self._pages.get(alert.id)
        acknowledged = {"at": seen.at, "by": seen.by, "reason": seen.reason} if seen else None
        return {**asdict(alert), "acknowledged": acknowledged, "is_false": page is not None and page.is_false}
