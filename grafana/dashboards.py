"""Weir's Grafana dashboards as code; ``scripts/generate`` writes them to ``grafana/dashboards/weir``."""

from __future__ import annotations

import json
import sys

from grafana_foundation_sdk.builders import dashboard as dashboard_builder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from grafana.panels import DATASOURCE, picker, source_picker
from grafana.rows import HOST, MODEL, OVER, delivery, drift, requests, saturation

__all__ = ["overview"]


def overview() -> str:
    """Return the overview dashboard as the text of its file."""
    board = (
        dashboard_builder.Dashboard("Weir overview")
        .uid("weir-overview")
        .description("Requests, delivery, drift and saturation of the models behind a Weir gateway.")
        .tags(["weir", "inference"])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .with_variable(source_picker())
        .with_variable(picker("job", "Job", "label_values(weir_build_info, job)"))
        .with_variable(picker("instance", "Instance", 'label_values(weir_build_info{job=~"$job"}, instance)'))
        .with_variable(picker("model", "Model", f"label_values(weir_route_revision{{{HOST}}}, model)"))
        .annotation(_route_changes())
    )
    rows = {"Requests": requests(), "Delivery": delivery(), "Drift": drift(), "Saturation": saturation()}
    for title, panels in rows.items():
        board.with_row(dashboard_builder.Row(title))
        for panel in panels:
            board.with_panel(panel)
    document = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
    return json.dumps(document | {"id": None}, indent=2) + "\n"


def _route_changes() -> Builder[dashboard.AnnotationQuery]:
    return (
        dashboard_builder.AnnotationQuery()
        .name("Route changes")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("blue")
        .expr(f"max by (model) (changes(weir_route_revision{{{MODEL}}}{OVER})) > 0")
    )


if __name__ == "__main__":
    sys.stdout.write(overview())
