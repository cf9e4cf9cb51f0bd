"""The pictures of a release report: small SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

__all__ = ["draw_bars", "draw_intervals", "draw_reliability"]

_WIDTH, _LABEL, _ROW, _VALUE = 640, 200, 20, 70
_SIDE, _MARGIN = 220, 34


def draw_reliability(title: str, bins: Sequence[dict[str, Any]]) -> str:
    """Return the share of right answers over the confidence of each bin, beside the line of perfect calibration.

    The area of a dot is the bin's rows.
    """
    most = max((one["rows"] for one in bins), default=1)
    parts = [
        f'<path class="grid" d="M{_MARGIN} 10V{10 + _SIDE}H{_MARGIN + _SIDE}"/>',
        f'<path class="level" d="M{_MARGIN} {10 + _SIDE}L{_MARGIN + _SIDE} 10"/>',
        f'<text class="axis" x="{_MARGIN + _SIDE / 2}" y="{_SIDE + 40}" text-anchor="middle">confidence</text>',
        '<text class="axis" x="4" y="8">share right</text>',
    ]
    parts += [
        f'<text class="axis" x="{_MARGIN + at * _SIDE}" y="{_SIDE + 25}" text-anchor="middle">{at:g}</text>'
        f'<text class="axis" x="{_MARGIN - 6}" y="{14 + (1 - at) * _SIDE:g}" text-anchor="end">{at:g}</text>'
        for at in (0.0, 0.5, 1.0)
    ]
    for one in bins:
        x, y = _MARGIN + one["confidence"] * _SIDE, 10 + (1 - one["right"]) * _SIDE
        ideal = 10 + (1 - one["confidence"]) * _SIDE
        parts += [
            f'<path class="noise" d="M{x:.1f} {ideal:.1f}V{y:.1f}"/>',
            f'<circle class="calm" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 6 * (one["rows"] / most) ** 0.5:.1f}">'
            f"<title>{one['rows']:,} rows: confidence {one['confidence']:.3f}, right {one['right']:.3f}</title>"
            "</circle>",
        ]
    return _svg(title, _SIDE + 2 * _MARGIN, _SIDE + 46, parts)


def draw_intervals(title: str, rows: Sequence[tuple[str, float, float, float, float | None, bool]]) -> str:
    """Return for each (name, low, middle, high, margin, is bad) an interval; 0 is a line, minus the margin a mark.

    Every row has a scale of its own, from the leftmost to the rightmost of what it shows.
    """
    left, width, parts = _LABEL, _WIDTH - _LABEL - _VALUE, []
    for i, (name, low, middle, high, margin, is_bad) in enumerate(rows):
        y = 18 + i * (_ROW + 6)
        edges = [low, high, 0.0, *([] if margin is None else [-margin])]
        first, span = min(edges), max(max(edges) - min(edges), 1e-12)

        def x(value: float, first: float = first, span: float = span) -> float:
            return left + 6 + (value - first) / span * (width - 12)

        kind = "bad" if is_bad else "calm"
        parts += [
            f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(_short(name))}</text>',
            f'<path class="grid" d="M{x(0.0):.1f} {y - 10}v20"/>',
            f'<rect class="{kind}" x="{x(low):.1f}" y="{y - 2}" width="{max(1.0, x(high) - x(low)):.1f}" height="4"/>',
            f'<circle class="{kind}" cx="{x(middle):.1f}" cy="{y}" r="5"/>',
            f'<text class="value" x="{left + width + 6}" y="{y + 4}">{middle:+.4g}</text>',
        ]
        if margin is not None:
            parts.append(f'<path class="level" d="M{x(-margin):.1f} {y - 10}v20"/>')
    return _svg(title, _WIDTH, 22 + len(rows) * (_ROW + 6), parts)


def draw_bars(title: str, rows: Sequence[tuple[str, float, bool]], level: float | None = None) -> str:
    """Return for each (name, value from 0, is bad) a bar, and a dashed line at ``level``."""
    most = max([1e-12, *(value for _, value, _ in rows), *([] if level is None else [level])])
    scale, parts = (_WIDTH - _LABEL - _VALUE) / most, []
    for i, (name, value, is_bad) in enumerate(rows):
        y, width, kind = 4 + i * _ROW, max(1.0, max(0.0, value) * scale), "bad" if is_bad else "calm"
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(_short(name))}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{y + 2}" width="{width:.1f}" height="13" rx="2"/>',
            f'<text class="value" x="{_LABEL + width + 6:.1f}" y="{y + 12}">{value:.4g}</text>',
        ]
    height = 8 + len(rows) * _ROW
    if level is not None:
        parts.append(f'<path class="level" d="M{_LABEL + level * scale:.1f} 0V{height}"/>')
    return _svg(title, _WIDTH, height, parts)


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<div class="wide"><svg role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg></div>"
    )


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
