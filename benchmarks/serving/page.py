"""The measured part of the documentation: everything between two markers, and the drawings beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.bars import bars
from benchmarks.serving.markdown import replace_marked
from benchmarks.serving.result import Failure
from benchmarks.serving.servers import SERVERS
from benchmarks.serving.summary import Summary
from benchmarks.serving.tables import (
    closed_table,
    failure_list,
    floor_table,
    note_list,
    open_table,
    target_table,
)

__all__ = ["report", "write_page"]

_MARK = "benchmarks/serving"
_FAMILIES = {server.name: {"weir": "Weir"}.get(server.family, server.family) for server in SERVERS}


def report(summary: Summary, failures: Sequence[Failure], how: str, images: str) -> str:
    """Return the whole section; ``how`` says by which command, on what, and how calm it was."""
    parts = [how, "### Targets", target_table(summary), "### Floor", floor_table(summary)]
    for model in summary.models():
        parts += [f"### Model: {model}", f"![Requests a second, {model}]({images}/serving-{model}.svg)"]
        parts.append(closed_table(summary, model))
        if any(summary.cells(model, server, "open", 2) for server in summary.servers(model)):
            parts.append(open_table(summary, model))
    parts += ["### Settings", note_list(summary), "### Not measured", failure_list(failures)]
    return "\n\n".join(parts)


def write_page(page: Path, summary: Summary, failures: Sequence[Failure], how: str) -> None:
    """Replace the marked part of the page and the drawings in ``images`` beside it."""
    replace_marked(page, _MARK, report(summary, failures, how, "images"))
    for model in summary.models():
        rates = {name: summary.rate(model, name) for name in summary.servers(model) if "x32" not in name}
        drawing = bars(f"{model}, 64 connections", {n: r for n, r in rates.items() if r > 0}, _FAMILIES)
        page.parent.joinpath(f"images/serving-{model}.svg").write_text(drawing, encoding="utf-8")
