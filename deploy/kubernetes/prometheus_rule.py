"""Make the PrometheusRule of the watched gateways from deploy/prometheus/rules: ``scripts/generate`` writes it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

__all__ = ["prometheus_rule"]

_RULES = Path(__file__).resolve().parent.parent / "prometheus/rules"


def prometheus_rule() -> dict[str, Any]:
    """Return the custom resource with the groups of all rule files."""
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(_RULES.glob("*.yml"))]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "weir", "labels": {"app.kubernetes.io/name": "weir"}},
        "spec": {"groups": [group for document in documents for group in document["groups"]]},
    }


if __name__ == "__main__":
    sys.stdout.write("# Generated from deploy/prometheus/rules by scripts/generate. Do not edit.\n")
    yaml.safe_dump(prometheus_rule(), sys.stdout, sort_keys=False, width=120, allow_unicode=True)
