"""The pictures of a report: small SVG that takes its colours from the page, for light, dark and paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from gateway.commands.report.incidents import Incident

__all__ = ["draw_effects", "draw_histograms", "draw_incidents", "draw_shares"]

_WIDTH, _LABEL, _ROW = 640, 190, 20
_HIST_W, _HIST_H = 200, 64
_TIMELINE_ROW = 22


def draw_effects(title: str, effects: Sequence[tuple[str, float, float]], warn: float, page: float) -> str:
    """Return horizontal bars, the largest first, of (name, effect, noise), with the levels of warning and page."""
    most = max([page * 1.2, *(effect for _, effect, _ in effects)])
    scale = (_WIDTH - _LABEL - 60) / most
    parts, values = [], []
    for i, (name, effect, noise) in enumerate(effects):
        y, width = 18 + i * _ROW, max(1.0, effect * scale)
        kind = "bad" if effect >= page else "warn" if effect >= warn else "calm"
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(_short(name))}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{y + 2}" width="{width:.1f}" height="13" rx="2"/>',
            f'<path class="noise" d="M{_LABEL + noise * scale:.1f} {y}v17"/>',
        ]
        x = _LABEL + max(width, noise * scale) + 6
        values.append(f'<text class="value" x="{x:.1f}" y="{y + 12}">{effect:.3f}</text>')
    height = 22 + len(effects) * _ROW
    for level, name in ((warn, "warns"), (page, "pages")):
        x = _LABEL + level * scale
        parts.append(
            f'<path class="level" d="M{x:.1f} 14V{height - 2}"/><text class="axis" x="{x:.1f}" y="10">{name}</text>'
        )
    return _svg(title, _WIDTH, height, [*parts, *values])  # values last: a level would cross them out


def draw_histograms(title: str, reference: Sequence[float], current: Sequence[float]) -> str:
    """Return the shares of the reference as an area and those of now as a line, over the same bins."""
    before, now = _shares(reference), _shares(current)
    most = max([*before, *now, 1e-9])
    width = _HIST_W / max(1, len(before))
    bars = "".join(
        f'<rect class="reference" x="{i * width:.1f}" y="{_HIST_H - share / most * _HIST_H:.1f}" '
        f'width="{max(0.5, width - 1):.1f}" height="{share / most * _HIST_H:.1f}"/>'
        for i, share in enumerate(before)
    )
    path = "".join(
        f"{'M' if not i else 'L'}{i * width:.1f} {_HIST_H - share / most * _HIST_H:.1f}h{width:.1f}"
        for i, share in enumerate(now)
    )
    return _svg(title, _HIST_W, _HIST_H + 2, [bars, f'<path class="current" d="{path}"/>'])


def draw_shares(title: str, shares: Sequence[tuple[str, float, float | None]]) -> str:
    """Return for each (name, share now, share in the reference) a bar, and a mark where the reference stands."""
    scale, parts = _WIDTH - _LABEL - 60, []
    for i, (name, share, reference) in enumerate(shares):
        y = 4 + i * _ROW
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(_short(name))}</text>',
            f'<rect class="calm" x="{_LABEL}" y="{y + 2}" width="{max(1.0, share * scale):.1f}" height="13" rx="2"/>',
            f'<text class="value" x="{_LABEL + max(share, reference or 0.0) * scale + 6:.1f}" y="{y + 12}">'
            f"{share:.1%}</text>",
        ]
        if reference is not None:
            parts.append(f'<path class="level" d="M{_LABEL + reference * scale:.1f} {y}v17"/>')
    return _svg(title, _WIDTH, 8 + len(shares) * _ROW, parts)


def draw_incidents(title: str, incidents: Sequence[Incident], begin: datetime, end: datetime) -> str:
    """Return a band for each incident over the period; one that is open reaches its end."""
    first, last = begin.timestamp(), end.timestamp()
    scale, parts = (_WIDTH - _LABEL) / max(1.0, last - first), []
    for i, incident in enumerate(incidents):
        y = 2 + i * _TIMELINE_ROW
        start = _LABEL + max(0.0, incident.since - first) * scale
        until = last if incident.resolved_at is None else min(last, incident.resolved_at)
        width = max(3.0, _LABEL + (until - first) * scale - start)
        kind = {"page": "bad", "warning": "warn"}.get(incident.severity, "calm")
        parts += [
            f'<text x="{_LABEL - 8}" y="{y + 13}" text-anchor="end">'
            f"{escape(_short(f'{incident.cause} · {incident.version}'))}</text>",
            f'<path class="grid" d="M{_LABEL} {y + 9}H{_WIDTH}"/>',
            f'<rect class="{kind}" x="{min(start, _WIDTH - 3):.1f}" y="{y + 2}" '
            f'width="{width:.1f}" height="14" rx="3"/>',
        ]
    height = 4 + len(incidents) * _TIMELINE_ROW
    axis = [
        f'<text class="axis" x="{_LABEL}" y="{height + 12}">{begin:%d %b %H:%M}</text>',
        f'<text class="axis" x="{_WIDTH}" y="{height + 12}" text-anchor="end">{end:%d %b %H:%M}</text>',
    ]
    return _svg(title, _WIDTH, height + 16, [*parts, *axis])


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<div class="wide"><svg role="img" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg></div>"
    )


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) or 1.0
    return [count / total for count in counts]


def _short(name: str, most: int = 28) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
