"""A dashboard as a value, and the document that Grafana provisions from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as dashboard_builder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import DATASOURCE, picker, source_picker
from grafana.queries import HOST, MODEL, OVER

__all__ = ["Board", "Panels"]

Panels = Sequence[Builder[dashboard.Panel]]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard.

    Parameters
    ----------
    title
        What Grafana lists it as, behind ``Weir``.
    description
        One sentence on what it answers.
    rows
        The panels of each row, by the row's title.
    period
        The time that it opens with, in Grafana's words for the past, such as ``now-6h``.
    """

    title: str
    description: str
    rows: Mapping[str, Panels]
    period: str = "now-1h"

    def document(self, name: str) -> str:
        """Return the text of the file ``name``.json; the name is part of the dashboard's address for ever."""
        board = self._headed(name)
        for title, panels in self.rows.items():
            board.with_row(dashboard_builder.Row(title))
            for panel in panels:
                board.with_panel(panel)
        document = json.loads(json.dumps(board.build(), cls=JSONEncoder))
        for number, panel in enumerate(document["panels"], start=1):
            panel["id"] = number
        return json.dumps(document | {"id": None}, indent=2) + "\n"

    def _headed(self, name: str) -> dashboard_builder.Dashboard:
        return (
            dashboard_builder.Dashboard(f"Weir {self.title}")
            .uid(f"weir-{name}")
            .description(self.description)
            .tags(["weir", "inference"])
            .readonly()
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .time(self.period, "now")
            .refresh("10s")
            .timezone("browser")
            .link(_siblings())
            .with_variable(source_picker())
            .with_variable(picker("job", "Job", "label_values(weir_build_info, job)"))
            .with_variable(picker("instance", "Instance", 'label_values(weir_build_info{job=~"$job"}, instance)'))
            .with_variable(picker("model", "Model", f"label_values(weir_route_revision{{{HOST}}}, model)"))
            .annotation(_route_changes())
        )


def _siblings() -> Builder[dashboard.DashboardLink]:
    return (
        dashboard_builder.DashboardLink("Weir")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags(["weir"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _route_changes() -> Builder[dashboard.AnnotationQuery]:
    return (
        dashboard_builder.AnnotationQuery()
        .name("Route changes")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(f"max by (model) (changes(weir_route_revision{{{MODEL}}}{OVER})) > 0")
    )
