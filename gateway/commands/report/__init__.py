"""The report of one model over a period, as one file to mail: what was gathered, and how it is drawn."""

from __future__ import annotations

__all__: list[str] = []
