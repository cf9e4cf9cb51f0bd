"""From the present route and the flags of ``weir route set`` to the body of the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["RouteEdit", "edited_route", "parse_share"]


@dataclass(frozen=True, slots=True)
class RouteEdit:
    """What the flags ask for. ``None`` keeps what is there; ``drop_canary`` and an empty ``shadows`` remove it."""

    reason: str
    stable: str | None = None
    canary: tuple[str, float] | None = None
    drop_canary: bool = False
    shadows: Sequence[tuple[str, float]] | None = None


def parse_share(text: str, default: float | None = None) -> tuple[str, float]:
    """Read ``VERSION=PERCENT``, or ``VERSION`` alone where there is a default.

    >>> parse_share("2=12.5"), parse_share("3", 100.0)
    (('2', 12.5), ('3', 100.0))

    Raises
    ------
    ValueError
        For anything else.
    """
    version, equals, percent = text.rpartition("=")
    if not equals and default is not None:
        return text, default
    if not version:
        raise ValueError(f"{text!r} is not VERSION=PERCENT, such as 2=10")
    return version, float(percent)


def edited_route(current: Mapping[str, Any], edit: RouteEdit) -> dict[str, Any]:
    """Return the body that changes ``current`` (a route view, empty where there is none) as the edit says.

    A kept canary or shadow whose version becomes stable is left out: it has been promoted.

    Examples
    --------
    >>> edited_route({"stable": "1", "canary": {"version": "2", "weight": 50.0}}, RouteEdit("promote", stable="2"))
    {'stable': '2', 'canary': None, 'shadow': [], 'reason': 'promote'}
    """
    stable = edit.stable or current.get("stable")
    canary = None if edit.drop_canary else current.get("canary")
    if canary and canary["version"] == stable:
        canary = None
    if edit.canary:
        canary = {"version": edit.canary[0], "weight": edit.canary[1]}
    shadow = [entry for entry in current.get("shadow", []) if entry["version"] != stable]
    if edit.shadows is not None:
        shadow = [{"version": version, "sample": sample} for version, sample in edit.shadows]
    return {"stable": stable, "canary": canary, "shadow": shadow, "reason": edit.reason}
