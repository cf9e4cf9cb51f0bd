"""Since when the routes of logged answers were in force, by whom and why: prediction log and audit log joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.audit.history import Interval

__all__ = ["RouteOrigin", "routes_of", "show_routes"]


@dataclass(frozen=True, slots=True)
class RouteOrigin:
    """Where a route revision of a model came from; without ``interval``, ``why`` says why that cannot be told."""

    model: str
    revision: int
    interval: Interval | None
    why: str = ""

    def view(self) -> dict[str, Any]:
        """Return it as a document."""
        from gateway.commands.history_tables import interval_view

        told = None if self.interval is None else interval_view(self.interval)
        return {"model": self.model, "revision": self.revision, "in_force": told, "why": self.why}


def routes_of(records: Iterable[Mapping[str, Any]], state: str | None, config: Path | None) -> list[RouteOrigin]:
    """Return the origin of each route revision that records name; a shadow's records name none."""
    from gateway.audit.history import of_revision
    from gateway.commands.history import history_in
    from gateway.errors import WeirError

    named: dict[str, set[int]] = {}
    for record in records:
        model, revision = record.get("model"), record.get("route_revision")
        if isinstance(model, str) and isinstance(revision, int) and revision > 0:
            named.setdefault(model, set()).add(revision)
    found = []
    for model, revisions in named.items():
        try:
            history = history_in(model, state, config)
        except (WeirError, OSError) as error:
            found += [RouteOrigin(model, one, None, f"the state store is not reachable: {error}") for one in revisions]
            continue
        for one in sorted(revisions):
            interval = of_revision(history, one)
            found.append(RouteOrigin(model, one, interval, "" if interval else "it is not in the audit log"))
    return found


def show_routes(routes: Iterable[RouteOrigin]) -> None:
    """Print a few lines for each."""
    from gateway.commands.history_tables import origin_lines
    from gateway.commands.tables import line

    for route in routes:
        name = f"route of {route.model}, revision {route.revision}"
        if route.interval is None:
            line(f"{name}: since when and why it was in force cannot be told: {route.why}")
            continue
        line(f"{name}: in force from {route.interval.begin} until {route.interval.end or 'now'}")
        for text in origin_lines(route.interval):
            line(f"  {text}")
