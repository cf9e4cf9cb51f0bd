"""The measured parts of the page on detection, from the lines that the benchmarks printed.

python -m benchmarks.detection.page FOLDER, which holds some of budget.jsonl, whole_weeks.jsonl, delay.jsonl,
further.jsonl, week.jsonl, informed.jsonl (its lines, and those of ``week`` for the same streams), collapse.jsonl and
cost.jsonl: their parts are written, the others stay.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.detection.contestants import WEIR
from benchmarks.detection.delay import LEAST_RUN_LENGTH
from benchmarks.detection.whole_weeks import upper_rate
from benchmarks.serving.markdown import number, replace_marked, table

__all__ = [
    "budget_section",
    "collapse_section",
    "cost_section",
    "delay_picture",
    "delay_section",
    "informed_section",
    "week_picture",
    "week_section",
    "whole_weeks_section",
]

PROMISED = 10.0
SHOWN_PEERS = 3
ROW, LEFT, WIDTH, RIGHT = 20, 240, 460, 20
BLUE, GREY = "#0b6e99", "#9aa5b1"

Lines = Sequence[Mapping[str, Any]]


def main() -> None:
    """Write the sections and the pictures."""
    folder, page = Path(sys.argv[1]), Path("docs/detection.md")
    for name, (section, picture) in _SECTIONS.items():
        lines = folder / f"{name}.jsonl"
        if lines.exists():
            replace_marked(page, f"benchmarks/detection/{name}.py", section(_lines(lines)))
            if picture is not None:
                drawing = page.parent / "images" / f"detection-{name}.svg"
                drawing.write_text(picture(_lines(lines)), encoding="utf-8")


def budget_section(found: Lines) -> str:
    """Return false pages per 100,000 rows: a row for each family, a column for each contestant."""
    cells = _by_contestant(found)
    names = list(next(iter(cells.values())))
    rows = []
    for null, by_name in cells.items():
        weir = by_name[WEIR]
        rows.append((null, f"{number(weir['per_100k'])} (≤ {number(weir['upper'])})", *_peers(by_name, names)))
    kept = sum(by_name[WEIR]["upper"] <= PROMISED for by_name in cells.values())
    said = f"At most {PROMISED:g} per 100,000 rows: kept, with 95 % confidence, in {kept} of {len(cells)} families."
    return f"{said}\n\n{table(('unchanged stream', WEIR, *names[1:]), rows)}"


def delay_section(lines: Lines) -> str:
    """Return delays in rows: Weir, its best three peers, and Weir at its promises."""
    heads = ("change", WEIR, "missed", "best peer", "ratio", "second", "third", "10,000 rows", "page a week")
    rows, ratios = [], []
    for stream, found in _by_contestant(lines).items():
        weir = found[WEIR]
        peers = sorted((found[name]["mean_delay"], name) for name in _calibrated(found))
        ratios.append(weir["mean_delay"] / peers[0][0])
        shown = [f"{name} {number(delay)}" for delay, name in peers[:SHOWN_PEERS]]
        promised = [number(found[name]["mean_delay"]) for name in found if name.startswith(f"{WEIR},")]
        missed = f"{weir['missed']} of {weir['runs']}"
        rows.append((stream, number(weir["mean_delay"]), missed, shown[0], f"{ratios[-1]:.2f}", *shown[1:], *promised))
    means = f"**{_geometric_mean(ratios):.2f}** ({_geometric_mean(sorted(ratios)[1:]):.2f} without the best stream)"
    said = f"Weir's delay over the best peer's: geometric mean {means}, worst **{max(ratios):.2f}**."
    return f"{said}\n\n{table(heads, rows)}"


def whole_weeks_section(found: Lines) -> str:
    """Return a row for each family: weeks, references, pages, and the upper end of the rate's interval."""
    by_null: dict[str, list[Mapping[str, Any]]] = {}
    for line in found:
        by_null.setdefault(line["null"], []).append(line)
    rows, kept = [], 0
    for null, lines in by_null.items():
        weeks, pages = sum(line["weeks"] for line in lines), sum(line["pages"] for line in lines)
        upper = upper_rate(pages, weeks)
        kept += upper <= 1.0
        nearest = max(line["largest"] for line in lines)
        rows.append((null, f"{weeks}", f"{len(lines)}", f"{pages}", f"{upper:.2f}", number(nearest)))
    said = f"At most one page a week: kept, with 95 % confidence, in {kept} of {len(by_null)} families."
    heads = ("unchanged stream", "weeks", "references", "pages", "pages a week, at most", "nearest to the threshold")
    return f"{said}\n\n{table(heads, rows)}"


def week_section(found: Lines) -> str:
    """Return median delays at both promises: a row for each stream."""
    rows = [
        (
            week["stream"],
            number(week["median_often"]),
            number(week["median_week"]),
            f"{week['median_week'] / week['median_often']:.2f}",
            f"{week['missed']} of {week['runs']}",
        )
        for week in found
    ]
    worst = max(week["median_week"] / week["median_often"] for week in found)
    rate = _geometric_mean([week["median_week"] / week["median_often"] for week in found])
    unchanged, pages = sum(week["null_rows"] for week in found), sum(week["false_pages"] for week in found)
    said = (
        f"One page a week takes {rate:.2f} times as long in the geometric mean, at worst **{worst:.2f}** times. "
        f"{unchanged:,} unchanged rows caused {pages} pages."
    )
    heads = ("change", "median rows, one page in 10,000 rows", "one page a week", "ratio", "missed")
    return f"{said}\n\n{table(heads, rows)}"


def informed_section(lines: Lines) -> str:
    """Return median delays at both promises of the detector that is told the change, and Weir's."""
    told = {line["stream"]: line for line in lines if "false_pages" not in line}
    rows = [
        (
            week["stream"],
            *_at_promises(told[week["stream"]]),
            *_at_promises(week),
            f"{week['missed']} of {week['runs']}",
        )
        for week in lines
        if "false_pages" in week and week["stream"] in told
    ]
    heads = (
        "change",
        "told, 10,000 rows",
        "told, a week",
        "ratio",
        "Weir, 10,000 rows",
        "Weir, a week",
        "ratio",
        "missed",
    )
    return table(heads, rows)


def collapse_section(found: Lines) -> str:
    """Return a row for each mode: rows to the first page, its causes, pages about confidence."""
    heads = ("what happens to the answers", "median rows", "worst", "first page about", "pages about confidence")
    rows = [
        (
            mode["mode"],
            number(mode["median_rows"]),
            number(mode["worst_rows"]),
            ", ".join(mode["first_causes"]),
            number(mode["pages_about_confidence"]),
        )
        for mode in found
    ]
    return table(heads, rows)


def cost_section(found: Lines) -> str:
    """Return a row for each measured model."""
    heads = ("features", "classes", "channels", "rows/s", "bytes gained over a million rows", "bytes of the table")
    names = ("features", "classes", "channels", "rows_per_s", "bytes_gained", "table_bytes")
    return table(heads, [[f"{cost[name]:,}" for name in names] for cost in found])


def delay_picture(lines: Lines) -> str:
    """Return a drawing: for each stream Weir's delay and those of its three quickest peers, on a logarithmic axis."""
    dots = {}
    for stream, found in _by_contestant(lines).items():
        quickest = sorted(found[name]["mean_delay"] for name in _calibrated(found))[:SHOWN_PEERS]
        dots[stream] = [*((rows, GREY) for rows in quickest), (found[WEIR]["mean_delay"], BLUE)]
    return _picture("Rows until the change is found (logarithmic); blue: Weir, grey: its three quickest peers", dots)


def week_picture(found: Lines) -> str:
    """Return a drawing: for each stream the median delay at both promises, on a logarithmic axis."""
    dots = {week["stream"]: [(week["median_often"], GREY), (week["median_week"], BLUE)] for week in found}
    return _picture("Rows until the page (logarithmic); grey: one in 10,000 rows, blue: one a week", dots)


def _picture(title: str, dots: Mapping[str, Sequence[tuple[float, str]]]) -> str:
    height = 60 + ROW * len(dots)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<text x="8" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    for decade in (10, 100, 1000):
        x = _place(decade)
        lines.append(f'<path d="M{x:.0f} 30V{height - 22}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.0f}" y="{height - 8}" text-anchor="middle">{decade:,}</text>')
    for i, (stream, placed) in enumerate(dots.items()):
        y = 42 + ROW * i
        lines.append(f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(stream)}</text>')
        lines += [f'<circle cx="{_place(rows):.0f}" cy="{y}" r="4.5" fill="{colour}"/>' for rows, colour in placed]
    return "\n".join([*lines, "</svg>\n"])


def _calibrated(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the peers that alarm rarely enough at some threshold."""
    return [name for name, d in found.items() if name != WEIR and (d["run_length"] or 0) >= LEAST_RUN_LENGTH]


def _geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(math.log(ratio) for ratio in ratios) / max(1, len(ratios)))


def _at_promises(found: Mapping[str, Any]) -> tuple[str, str, str]:
    often, week = found["median_often"], found["median_week"]
    return number(often), number(week), f"{week / often:.2f}"


def _place(rows: float) -> float:
    return LEFT + WIDTH * math.log(max(rows, 8) / 8) / math.log(4000 / 8)


def _peers(found: Mapping[str, Mapping[str, Any]], names: list[str]) -> list[str]:
    return [number(found[name]["per_100k"]) for name in names if name != WEIR]


def _by_contestant(lines: Lines) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the lines by stream, or family, and contestant."""
    cells: dict[str, dict[str, Mapping[str, Any]]] = {}
    for found in lines:
        cells.setdefault(found.get("stream") or found["null"], {})[found["contestant"]] = found
    return cells


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


_SECTIONS: Mapping[str, tuple[Callable[[Lines], str], Callable[[Lines], str] | None]] = MappingProxyType(
    {
        "budget": (budget_section, None),
        "whole_weeks": (whole_weeks_section, None),
        "delay": (delay_section, delay_picture),
        "further": (delay_section, None),
        "week": (week_section, week_picture),
        "informed": (informed_section, None),
        "collapse": (collapse_section, None),
        "cost": (cost_section, None),
    }
)


if __name__ == "__main__":
    main()
