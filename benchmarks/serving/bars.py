"""Requests a second as horizontal bars in SVG, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

__all__ = ["bars"]

_ROW, _LEFT, _WIDTH, _RIGHT = 22, 170, 430, 90
_COLOURS = {"Weir": "#0b6e99", "floor": "#9aa5b1", "peer": "#d08c3c"}


def bars(title: str, rates: Mapping[str, float], families: Mapping[str, str]) -> str:
    """Return a drawing; each server's bar has the colour of its family and its rate behind it.

    Examples
    --------
    >>> drawing = bars("small", {"Weir": 100.0, "peer": 10.0}, {"Weir": "Weir", "peer": "peer"})
    >>> drawing.count("<rect"), drawing.startswith("<svg")
    (2, True)
    """
    lowest = 10 ** math.floor(math.log10(min(rates.values())))
    decades = math.log10(max(rates.values()) / lowest)
    lines = [
        _line(i, name, rate, math.log10(rate / lowest) / decades, families[name])
        for i, (name, rate) in enumerate(rates.items())
    ]
    height = 34 + _ROW * len(rates)
    size = f'width="{_LEFT + _WIDTH + _RIGHT}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    caption = f'<text x="8" y="18" font-weight="bold">{escape(title)} (requests/s, logarithmic from {lowest:g})</text>'
    return "\n".join([head, caption, *lines, "</svg>\n"])


def _line(index: int, name: str, rate: float, share: float, family: str) -> str:
    top, length = 30 + _ROW * index, max(share * _WIDTH, 1)
    return (
        f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{top}" width="{length:.0f}" height="{_ROW - 6}" fill="{_COLOURS[family]}"/>'
        f'<text x="{_LEFT + length + 6:.0f}" y="{top + 13}">{rate:,.0f}</text>'
    )
