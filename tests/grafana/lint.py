"""What can be wrong with a dashboard that Grafana would take without a word, and show broken."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

__all__ = ["faults"]

COLUMNS = 24
UNITS = {unit for unit in vars(units).values() if isinstance(unit, str)}
VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
OF_GRAFANA = {"__rate_interval", "__all", "__interval", "__range"}

register_default_plugins()


def faults(document: dict[str, Any]) -> list[str]:
    """Return one line for each fault of a dashboard, of whatever kind."""
    return [*unread(document), *doubled(document), *overlapping(document), *unknown(document), *unitless(document)]


def unread(document: dict[str, Any]) -> Iterator[str]:
    """Find members that the models of Grafana's own schema do not read: misspelt ones, or at the wrong place."""
    written = {name: value for name, value in document.items() if name != "id"}  # null, and Grafana's to fill
    yield from _lost(written, json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder)), "dashboard")


def doubled(document: dict[str, Any]) -> Iterator[str]:
    """Find numbers that two panels have, and names of queries that two queries of a panel have."""
    numbers = Counter(panel["id"] for panel in document["panels"])
    yield from (f"{count} panels have the number {number}" for number, count in numbers.items() if count > 1)
    for panel in document["panels"]:
        names = Counter(target["refId"] for target in panel.get("targets", ()))
        yield from (f"{panel['title']}: {n} queries are called {name}" for name, n in names.items() if n > 1)


def overlapping(document: dict[str, Any]) -> Iterator[str]:
    """Find panels that lie upon each other or beyond the last column."""
    for panel in document["panels"]:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > COLUMNS:
            yield f"{panel['title']} is wider than the page"
    for one, other in combinations(document["panels"], 2):
        if all(_meet(one["gridPos"], other["gridPos"], *axis) for axis in ("xw", "yh")):
            yield f"{one['title']} lies upon {other['title']}"


def unknown(document: dict[str, Any]) -> Iterator[str]:
    """Find variables that are used and not declared; a source is chosen by one too."""
    declared = {variable["name"] for variable in document["templating"]["list"]} | OF_GRAFANA
    for place, text in _texts(document, "dashboard"):
        for name in VARIABLE.findall(text):
            if name not in declared:
                yield f"{place}: ${name} is not declared"


def unitless(document: dict[str, Any]) -> Iterator[str]:
    """Find panels whose unit Grafana does not know, and would print behind the number as it is."""
    for panel in document["panels"]:
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "none")
        if unit not in UNITS:
            yield f"{panel['title']}: there is no unit {unit}"


def _lost(written: Any, read: Any, place: str) -> Iterator[str]:
    if isinstance(written, dict) and isinstance(read, dict):
        for name, value in written.items():
            if name in read:
                yield from _lost(value, read[name], f"{place}.{name}")
            else:
                yield f"{place}.{name} is no member"
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for number, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from _lost(one, other, f"{place}[{number}]")
    elif written != read:
        yield f"{place} is read as {read!r}"


def _meet(one: dict[str, int], other: dict[str, int], start: str, length: str) -> bool:
    return one[start] < other[start] + other[length] and other[start] < one[start] + one[length]


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, f"{place}.{name}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _texts(member, f"{place}[{number}]")
