"""A channel: one figure of a row that is watched, and what it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EXACT_VALUES", "WITHIN", "Cause", "Channel"]

Cause = Literal["inputs", "answers", "confidence", "broken"]

EXACT_VALUES = ", exact values"
"""What the name of a feature's heaping channel ends in."""
WITHIN = " where "
"""Stands in the name of a segment's channel between that of the whole and the segment's."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel.

    Parameters
    ----------
    name
        Name.
    cause
        What it speaks for.
    is_joint, is_heaping
        Whether it is of several features, or about exact values of one that gather.
    segment
        Place of the segment whose rows it counts, among those that have evidence; ``None`` for all rows.
    """

    name: str
    cause: Cause
    is_joint: bool = False
    is_heaping: bool = False
    segment: int | None = None

    @property
    def is_single(self) -> bool:
        """Whether it is one figure of all rows."""
        return not (self.is_joint or self.is_heaping) and self.segment is None
