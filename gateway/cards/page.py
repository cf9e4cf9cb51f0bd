"""A model card as one HTML page that loads nothing."""

from __future__ import annotations

from html import escape

from gateway.cards.facts import CardFacts, Table
from gateway.cards.markdown import NOTHING
from gateway.commands.printable import printable

__all__ = ["html_card"]

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;"
    "border-bottom:1px solid #ccc;overflow-wrap:anywhere}pre{white-space:pre-wrap}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_card(facts: CardFacts) -> str:
    """Return the card. All data is escaped, the author's own text included; no script, no address is followed."""
    title = _escaped(facts.title)
    body = "".join(map(_section, facts.tables))
    notes = f"<h2>Notes of the author</h2><pre>{escape(facts.notes)}</pre>" if facts.notes else ""
    summary = f"<p>{_escaped(facts.summary)}</p>" if facts.summary else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{summary}{body}{notes}</main></body></html>\n"
    )


def _section(table: Table) -> str:
    text = f"<p>{_escaped(table.text)}</p>" if table.text else ""
    if not table.rows:
        return f"<h2>{_escaped(table.title)}</h2>{text or f'<p>{NOTHING}</p>'}"
    head = "".join(f'<th scope="col">{_escaped(cell)}</th>' for cell in table.header)
    rows = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<h2>{_escaped(table.title)}</h2>{text}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _escaped(text: str) -> str:
    return escape(printable(text))
