"""The kinds of panel, query and variable that Weir's dashboards are made of."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as common_builder
from grafana_foundation_sdk.builders import dashboard as dashboard_builder
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import prometheus as prometheus_builder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, prometheus
from grafana_foundation_sdk.models import heatmap as heatmap_model

__all__ = [
    "DATASOURCE",
    "Query",
    "heat",
    "lines",
    "listing",
    "numbers",
    "picker",
    "source_picker",
    "states",
    "thresholds",
]

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the name of each of its series, with ``{{label}}`` filled in."""

    expr: str
    legend: str

    def target(self, number: int) -> prometheus_builder.Dataquery:
        """Return the query as the ``number``-th of its panel."""
        return (
            prometheus_builder.Dataquery()
            .expr(self.expr)
            .legend_format(self.legend)
            .ref_id(chr(ord("A") + number))
            .datasource(DATASOURCE)
        )


def lines(
    title: str, description: str, unit: str, *queries: Query, across: int = 3, most: float | None = None
) -> timeseries.Panel:
    """Return a panel of lines over time, ``across`` of which fill a row; ``most`` is the largest value there can be."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .datasource(DATASOURCE)
        .span(_COLUMNS // across)
        .height(8)
        .fill_opacity(8)
        .show_points(common.VisibilityMode.NEVER)
        .legend(common_builder.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
        .tooltip(common_builder.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .targets([query.target(number) for number, query in enumerate(queries)])
    )
    return panel if most is None else panel.max(most)


def numbers(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    good_from: float | None = None,
    bad_from: float | None = None,
    across: int = 3,
) -> stat.Panel:
    """Return the latest value of each series in large type.

    It is red below ``good_from`` and green from there on, or green below ``bad_from`` and red from there on.
    """
    colours = ("red", "green") if bad_from is None else ("green", "red")
    level = good_from if bad_from is None else bad_from
    steps = [dashboard.Threshold(value=None, color=colours[0]), dashboard.Threshold(value=level, color=colours[1])]
    absolute = dashboard_builder.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE)
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .span(_COLUMNS // across)
        .height(8)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .graph_mode(common.BigValueGraphMode.AREA)
        .targets([query.target(0)])
    )
    return panel if level is None else panel.thresholds(absolute.steps(steps))


def heat(title: str, description: str, unit: str, query: Query, most: float) -> heatmap.Panel:
    """Return a map with a row for each series and time from left to right; full colour is ``most`` and above."""
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .decimals(2)
        .datasource(DATASOURCE)
        .span(_COLUMNS)
        .height(12)
        .max_data_points(120)
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_model.HeatmapColorMode.SCHEME)
            .scheme("YlOrRd")
            .steps(32)
            .min(0)
            .max(most)
        )
        .cell_values(heatmap.CellValues().unit(unit).decimals(2))
        .targets([query.target(0)])
    )


def states(title: str, description: str, unit: str, query: Query, warn: float, page: float) -> statetimeline.Panel:
    """Return a panel with a coloured band for each series: green, yellow from ``warn`` on, red from ``page`` on."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .decimals(2)
        .datasource(DATASOURCE)
        .span(_COLUMNS // 2)
        .height(10)
        .color_scheme(dashboard_builder.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(thresholds(warn, page))
        .show_value(common.VisibilityMode.NEVER)
        .targets([query.target(0)])
    )


def listing(title: str, description: str, query: Query, across: int = 3) -> table.Panel:
    """Return a table of the labels of the series there are now."""
    target = query.target(0).instant().format(prometheus.PromQueryFormat.TABLE)
    return (
        table.Panel()
        .title(title)
        .description(description)
        .unit("none")
        .datasource(DATASOURCE)
        .span(_COLUMNS // across)
        .height(8)
        .show_header(True)
        .targets([target])
    )


def thresholds(warn: float, page: float) -> dashboard_builder.ThresholdsConfig:
    """Return green below ``warn``, yellow below ``page``, red above."""
    steps = [(None, "green"), (warn, "yellow"), (page, "red")]
    return (
        dashboard_builder.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )


def source_picker() -> Builder[dashboard.VariableModel]:
    """Return the variable that chooses the Prometheus."""
    current = dashboard.VariableOption(selected=True, text="Prometheus", value="prometheus")
    return dashboard_builder.DatasourceVariable("datasource").label("Data source").type("prometheus").current(current)


def picker(name: str, label: str, query: str) -> Builder[dashboard.VariableModel]:
    """Return a variable that chooses among the values that ``query`` finds; all are chosen at first."""
    return (
        dashboard_builder.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
