"""A model card as Markdown with the front matter that model hubs read (Hugging Face's)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gateway.cards.facts import CardFacts, Table
from gateway.catalog.bundle import Bundle
from gateway.commands.printable import printable

__all__ = ["front_matter", "markdown_card"]

NOTHING = "Nothing is declared."
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&$:@])")
_HUB_LICENSES = frozenset(
    {
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "zlib", "unlicense", "mpl-2.0", "epl-2.0"),
        *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
        *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0"),
    }
)
"""Identifiers that hubs know; any other license is told as ``other`` with its name."""


def markdown_card(bundle: Bundle, facts: CardFacts) -> str:
    """Return the card. What manifest and report say is escaped; the author's own Markdown follows as it is."""
    lines = [*front_matter(bundle), "", f"# {_escaped(facts.title)}", ""]
    if facts.summary:
        lines += [_escaped(facts.summary), ""]
    for table in facts.tables:
        lines += [f"## {table.title}", "", *_table(table), ""]
    if facts.notes:
        lines += ["## Notes of the author", "", facts.notes, ""]
    return "\n".join(lines)


def front_matter(bundle: Bundle) -> list[str]:
    """Return the lines of the front matter: YAML whose values are JSON, so that no text can leave its place."""
    told = {name: value for name, value in _metadata(bundle).items() if value not in (None, [])}
    return ["---", *(f"{name}: {_json(value)}" for name, value in told.items()), "---"]


def _json(value: object) -> str:
    """Write a value so that neither YAML nor a reader that takes front matter for text sees markup in it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _metadata(bundle: Bundle) -> dict[str, Any]:
    identity, face = bundle.manifest.identity, bundle.manifest.interface
    license_ = None if identity.license is None else printable(identity.license)
    known = license_ is not None and license_.lower() in _HUB_LICENSES
    semantics = {output.semantic for output in face.outputs}
    is_classifier = bool(face.classes) or bool(semantics & {"label", "probabilities"})
    task = "tabular-classification" if is_classifier else "tabular-regression" if "value" in semantics else None
    return {
        "model_name": bundle.model,
        "library_name": "onnx",
        "pipeline_tag": task,
        "license": license_ and (license_.lower() if known else "other"),
        "license_name": None if known else license_,
        "tags": ["onnx", *(["tabular"] if face.features else [])],
        "model-index": _index(bundle, task) or None,
    }


def _index(bundle: Bundle, task: str | None) -> list[dict[str, Any]]:
    results = [
        {
            "task": {"type": task or "other"},
            "dataset": {"name": printable(metric.slice or "evaluation"), "type": "evaluation"},
            "metrics": [{"type": printable(metric.name), "name": printable(metric.name), "value": metric.value}],
        }
        for metric in bundle.manifest.evaluation.metrics
    ]
    return [{"name": bundle.model, "results": results}] if results else []


def _table(table: Table) -> Iterator[str]:
    if table.text:
        yield _escaped(table.text)
    if table.text and table.rows:
        yield ""
    if table.rows:
        yield _row(table.header)
        yield _row(("---",) * len(table.header), is_rule=True)
        yield from map(_row, table.rows)
    if not table.text and not table.rows:
        yield NOTHING


def _row(cells: tuple[str, ...], *, is_rule: bool = False) -> str:
    return "| " + " | ".join(cells if is_rule else map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))
