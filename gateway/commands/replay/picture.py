"""The picture of a replay: evidence against its threshold over the rows, with pages marked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from gateway.commands.printable import printable
from gateway.commands.replay.incidents import Incident
from monitors.evidence.channel import Cause

__all__ = ["EvidenceTrace", "draw_replay"]

BINS = 400
LEFT, WIDTH, RIGHT, TOP, PANEL, GAP, BOTTOM = 110, 800, 20, 40, 90, 24, 40
LOW_NATS, HIGH_NATS = -8.0, 3.0
BLUE, RED, AMBER, GREY = "#0b6e99", "#c0392b", "#d68910", "#888"


class EvidenceTrace:
    """The largest evidence of each cause over equal spans of rows; spans double when there are too many.

    Values are nats relative to the level at which the cause pages: 0 is a page. Memory: 800 numbers a cause.
    """

    def __init__(self, causes: Iterable[Cause]) -> None:
        self.span_rows = 1
        self.nats: dict[Cause, list[float]] = {cause: [] for cause in causes}

    def add(self, row: int, levels: Mapping[Cause, float]) -> None:
        """Take the evidence at the end of a summary, as shares of the thresholds."""
        while row // self.span_rows >= 2 * BINS:
            self._double()
        at = row // self.span_rows
        for cause, nats in self.nats.items():
            nats.extend([-math.inf] * (at + 1 - len(nats)))
            level = levels[cause]
            nats[at] = max(nats[at], math.log(level) if level > 0 else -math.inf)

    def _double(self) -> None:
        self.span_rows *= 2
        self.nats = {cause: [max(nats[i : i + 2]) for i in range(0, len(nats), 2)] for cause, nats in self.nats.items()}


def draw_replay(title: str, trace: EvidenceTrace, rows: int, incidents: Sequence[Incident]) -> str:
    """Return the picture as SVG: a panel for each cause."""
    height = TOP + len(trace.nats) * (PANEL + GAP) + BOTTOM - GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-weight="bold">{escape(printable(title))}</text>',
    ]
    for i, (cause, nats) in enumerate(trace.nats.items()):
        top = TOP + i * (PANEL + GAP)
        lines += _panel(cause, nats, trace.span_rows, rows, top)
        lines += _marks([incident for incident in incidents if incident.first.cause == cause], rows, top)
    lines += _axis(rows, height - BOTTOM + 16)
    return "\n".join([*lines, "</svg>\n"])


def _panel(cause: str, nats: Sequence[float], span_rows: int, rows: int, top: int) -> list[str]:
    page = _y(0.0, top)
    points = " ".join(
        f"{_x(min(rows, (i + 0.5) * span_rows), rows):.1f},{_y(value, top):.1f}"
        for i, value in enumerate(nats)
        if value > -math.inf
    )
    return [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{PANEL}" fill="none" stroke="#ddd"/>',
        f'<text x="{LEFT - 10}" y="{top + 16}" text-anchor="end" font-weight="bold">{escape(cause)}</text>',
        f'<text x="{LEFT - 10}" y="{page + 4:.1f}" text-anchor="end" fill="{GREY}">pages</text>',
        f'<path d="M{LEFT} {page:.1f}h{WIDTH}" stroke="{GREY}" stroke-dasharray="5 4"/>',
        f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="1.2"/>',
    ]


def _marks(incidents: Sequence[Incident], rows: int, top: int) -> list[str]:
    lines = []
    for incident in incidents:
        colour = RED if incident.page else AMBER
        first, last = _x(incident.shown.row, rows), _x(incident.last_row, rows)
        word = "page" if incident.page else "warning"
        lines.append(
            f'<rect x="{first:.1f}" y="{top}" width="{max(1.0, last - first):.1f}" height="{PANEL}" '
            f'fill="{colour}" opacity="0.12"/>'
        )
        lines.append(
            f'<path d="M{first:.1f} {top}v{PANEL}" stroke="{colour}" stroke-width="1.5">'
            f"<title>{word} at row {incident.shown.row:,}</title></path>"
        )
    return lines


def _axis(rows: int, y: int) -> list[str]:
    step = _step(rows)
    ticks = range(0, rows + 1, step)
    return [f'<text x="{_x(row, rows):.1f}" y="{y}" text-anchor="middle">{row:,}</text>' for row in ticks]


def _step(rows: int) -> int:
    """Return 1, 2 or 5 times a power of ten, so that there are four to ten of them.

    Examples
    --------
    >>> _step(50_000), _step(7)
    (10000, 1)
    """
    power = int(10 ** max(0, int(math.log10(max(1, rows))) - 1))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if rows / (factor * power) <= 8)


def _x(row: float, rows: int) -> float:
    return LEFT + WIDTH * row / max(1, rows)


def _y(nats: float, top: int) -> float:
    share = (min(HIGH_NATS, max(LOW_NATS, nats)) - LOW_NATS) / (HIGH_NATS - LOW_NATS)
    return top + PANEL * (1.0 - share)
