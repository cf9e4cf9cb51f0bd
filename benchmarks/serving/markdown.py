"""Tables in Markdown, and the marked parts of a page that they go into."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.serving.claims import Claim

__all__ = ["claim_table", "number", "percent", "replace_marked", "table"]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are figures.

    Examples
    --------
    >>> print(table(("server", "req/s"), [("Weir", "100")]))
    | server | req/s |
    | --- | --: |
    | Weir | 100 |
    """
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """Write three significant digits, and none behind the point from 100 on; nothing for NaN.

    Examples
    --------
    >>> number(12345.6), number(1.23456), number(float("nan"))
    ('12,346', '1.23', '')
    """
    if value != value:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(share: float) -> str:
    """Write a share; nothing for NaN."""
    return "" if share != share else f"{share:.0%}"


def claim_table(claims: Iterable[Claim], what: str) -> str:
    """Return each target beside what was measured."""
    rows = [
        (claim.text, _bound(claim), number(claim.measured), "yes" if claim.holds else "**no**", number(claim.by_cpu))
        for claim in claims
    ]
    return table((what, "target", "measured", "holds", "by CPU time"), rows)


def _bound(claim: Claim) -> str:
    return ("<= " if claim.at_most else ">= ") + number(claim.target)


def replace_marked(page: Path, mark: str, section: str) -> None:
    """Replace what stands between the two comments that name ``mark``.

    Raises
    ------
    ValueError
        The page has no such comments.
    """
    pattern = re.compile(rf"(<!-- begin: {mark} -->\n).*(<!-- end: {mark} -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    if not pattern.search(text):
        raise ValueError(f"{page} has no part marked {mark}")
    page.write_text(pattern.sub(lambda found: f"{found[1]}\n{section}\n\n{found[2]}", text), encoding="utf-8")
