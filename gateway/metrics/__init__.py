"""What Weir measures of itself: the catalogue of metrics, the workers' shared counters, and the metrics page."""

from __future__ import annotations

__all__: list[str] = []
