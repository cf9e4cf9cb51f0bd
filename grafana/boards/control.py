"""Control plane: how changes of routes and versions reach the workers, and whether all processes live."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, lines, listing
from grafana.queries import HOST, MODEL, VERSION, latest, quantile

__all__ = ["BOARD"]


def _routes() -> Panels:
    return [
        lines(
            "Route revision",
            "Revision of the route in force. A step is a change.",
            "none",
            Query(latest("weir_route_revision", "by (model)"), "{{model}}"),
        ),
        lines(
            "Route apply delay",
            "95th percentile of the time from a change of the route to its use by a worker.",
            "s",
            Query(quantile(0.95, "weir_route_apply_delay_seconds", "by (le)", HOST), "p95"),
        ),
        lines(
            "Workers behind",
            "Workers that answer by an older route than the one in force.",
            "none",
            Query(latest("weir_route_lagging_workers", "by (model)"), "{{model}}"),
        ),
        lines(
            "State store",
            "Workers that the state store does not answer. They serve the last known routes; nothing can be changed.",
            "none",
            Query(latest("weir_store_away_workers", "by (instance)", HOST, "sum"), "{{instance}} away"),
        ),
    ]


def _leading() -> Panels:
    return [
        lines(
            "Leader",
            "Which instance's watch leads the rollouts. None does while there are no rollouts; two would be a fault.",
            "bool_yes_no",
            Query(latest("weir_leader", "by (instance)", HOST), "{{instance}}"),
        ),
        lines(
            "Changes",
            "Changes of routes, residency, rollouts and alerts in five minutes, by the growth of the audit log.",
            "none",
            Query(f"max by (instance) (increase(weir_audit_records_total{{{HOST}}}[5m]))", "{{instance}}"),
        ),
    ]


def _versions() -> Panels:
    return [
        lines(
            "Model loads",
            "Attempts to load a version in the past hour, by result.",
            "none",
            Query(f"sum by (model, result) (increase(weir_model_loads_total{{{MODEL}}}[1h]))", "{{model}} {{result}}"),
        ),
        lines(
            "Execution providers",
            "Workers that have a version loaded, by the execution provider that it runs on.",
            "none",
            Query(
                latest("weir_model_sessions", "by (model, version, provider)", over="sum"),
                f"{VERSION} {{{{provider}}}}",
            ),
        ),
    ]


def _processes() -> Panels:
    return [
        lines(
            "Processes",
            "Processes alive by role, and how often they were started again in the past hour.",
            "none",
            Query(latest("weir_workers", "by (role)", HOST, "sum"), "{{role}}"),
            Query(f"sum by (role) (increase(weir_worker_restarts_total{{{HOST}}}[1h]))", "{{role}} restarts"),
        ),
        lines(
            "Age of the last tick",
            "Seconds since the watch finished a tick.",
            "s",
            Query(f"time() - {latest('weir_monitor_tick_timestamp_seconds', 'by (instance)', HOST)}", "{{instance}}"),
        ),
        listing(
            "Builds",
            "The build that each instance runs.",
            Query(f"max by (instance, version, revision, python) (weir_build_info{{{HOST}}})", "{{instance}}"),
        ),
    ]


BOARD = Board(
    "control plane",
    "How changes of routes and versions reach the workers, and whether all processes of the tree live.",
    {"Routes and store": _routes(), "Changes": _leading(), "Versions": _versions(), "Processes": _processes()},
)
