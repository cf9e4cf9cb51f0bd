"""PromQL expressions of rules and panels, and what they name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from gateway.metrics.catalogue import CATALOGUE

__all__ = [
    "dashboard_expressions",
    "exposed_names",
    "measured",
    "metric_names",
    "panel_expressions",
    "rule_expressions",
    "substituted",
]

_NAME = re.compile(r"\b(?:weir_[a-z0-9_]+|[a-z_]+(?::[a-z0-9_]+)+)\b")
_THRESHOLD = re.compile(r"\s*(?:==|!=|[<>]=?)\s*[0-9.]+")
_VARIABLES = {"$__rate_interval": "30s", "$job": ".+", "$instance": ".+", "$model": ".+"}


def rule_expressions(path: Path) -> list[tuple[str, str]]:
    """Return name and expression of each rule of a file."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    return [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules]


def panel_expressions(dashboard_json: str | dict[str, Any]) -> list[tuple[str, str]]:
    """Return title and expression of each query of a dashboard, annotations included, variables still in place."""
    document = json.loads(dashboard_json) if isinstance(dashboard_json, str) else dashboard_json
    panels = [(panel["title"], target["expr"]) for panel in document["panels"] for target in panel.get("targets", ())]
    return panels + [(item["name"], item["expr"]) for item in document["annotations"]["list"]]


def dashboard_expressions(folder: Path) -> list[tuple[str, str]]:
    """Return file and title, and the expression, of each query of all dashboards under a folder."""
    return [
        (f"{path.stem}: {title}", expression)
        for path in sorted(folder.rglob("*.json"))
        for title, expression in panel_expressions(path.read_text(encoding="utf-8"))
    ]


def substituted(expression: str) -> str:
    """Return the expression as Grafana sends it when everything is chosen."""
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def measured(expression: str) -> str:
    """Return the expression without its thresholds, so that it has data also while all is well.

    >>> measured("a > 0.1 and b == 0")
    'a and b'
    """
    return _THRESHOLD.sub("", expression)


def metric_names(expression: str) -> set[str]:
    """Return the names of Weir's metrics and recorded series that the expression reads."""
    return set(_NAME.findall(expression))


def exposed_names() -> dict[str, str]:
    """Return each name that a metric has on the page (a histogram has three), with the metric's own name."""
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {metric.name + suffix: metric.name for metric in CATALOGUE for suffix in suffixes.get(metric.kind, ("",))}
