"""Schemas of what the overlays hold: the published ones, and small ones of our own for custom resources."""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate

__all__ = ["validate"]

TEXT = {"type": "string"}
TEXT_MAP = {"type": "object", "additionalProperties": TEXT}
DURATION = {"type": "string", "pattern": "^[0-9]+(s|m|h)$"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER_TEXT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
BOOLEAN_TEXT = {"enum": ["true", "false"]}
METRIC_TYPES = {"enum": ["AverageValue", "Value", "Utilization"]}


def record(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these members and no other."""
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


RULE = record(
    ["expr"],
    {
        "alert": TEXT,
        "record": TEXT,
        "expr": TEXT,
        "for": DURATION,
        "keep_firing_for": DURATION,
        "labels": TEXT_MAP,
        "annotations": TEXT_MAP,
    },
) | {"oneOf": [{"required": ["alert"]}, {"required": ["record"]}]}
GROUP = record(["name", "rules"], {"name": TEXT, "rules": {"type": "array", "items": RULE, "minItems": 1}})
RELABELING = record([], {"action": TEXT, "targetLabel": TEXT, "replacement": TEXT})
ENDPOINT = record(
    ["port"],
    {
        "port": TEXT,
        "path": TEXT,
        "interval": DURATION,
        "scrapeTimeout": DURATION,
        "relabelings": {"type": "array", "items": RELABELING},
    },
)
PROMETHEUS = record(
    ["serverAddress", "query", "threshold", "ignoreNullValues"],
    {
        "serverAddress": {"type": "string", "pattern": r"^https?://[^/]+:[0-9]+$"},
        "query": TEXT,
        "threshold": NUMBER_TEXT,
        "activationThreshold": NUMBER_TEXT,
        "ignoreNullValues": BOOLEAN_TEXT,
        "unsafeSsl": BOOLEAN_TEXT,
    },
)
CPU = record(["value"], {"value": NUMBER_TEXT})


def trigger(kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a trigger of KEDA; all of its metadata is text."""
    return record(
        ["type", "metadata"],
        {"type": {"const": kind}, "name": TEXT, "metricType": METRIC_TYPES, "metadata": metadata},
    )


CUSTOM: dict[str, tuple[str, dict[str, Any]]] = {
    "PrometheusRule": (
        "monitoring.coreos.com/v1",
        record(["groups"], {"groups": {"type": "array", "items": GROUP, "minItems": 1}}),
    ),
    "ServiceMonitor": (
        "monitoring.coreos.com/v1",
        record(
            ["selector", "endpoints"],
            {
                "selector": record(["matchLabels"], {"matchLabels": TEXT_MAP}),
                "endpoints": {"type": "array", "items": ENDPOINT, "minItems": 1},
            },
        ),
    ),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        record(
            ["scaleTargetRef", "triggers"],
            {
                "scaleTargetRef": record(["name"], {"name": TEXT, "kind": TEXT, "apiVersion": TEXT}),
                "pollingInterval": COUNT,
                "cooldownPeriod": COUNT,
                "minReplicaCount": COUNT,
                "maxReplicaCount": COUNT,
                "fallback": record(["failureThreshold", "replicas"], {"failureThreshold": COUNT, "replicas": COUNT}),
                "advanced": record([], {"horizontalPodAutoscalerConfig": record([], {"behavior": {"type": "object"}})}),
                "triggers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"oneOf": [trigger("prometheus", PROMETHEUS), trigger("cpu", CPU)]},
                },
            },
        ),
    ),
}
"""Version and specification of each custom resource, by kind."""


def validate(document: dict[str, Any], kubernetes: str) -> None:
    """Check one document; what a ``ScaledObject`` hands on to the autoscaler by that one's schema.

    Raises
    ------
    jsonschema.ValidationError, kubernetes_validate.ValidationError
        It is not of its kind's form.
    """
    if document["kind"] not in CUSTOM:
        kubernetes_validate.validate(document, kubernetes, strict=True)
        return
    version, specification = CUSTOM[document["kind"]]
    members = {"apiVersion": {"const": version}, "kind": TEXT, "metadata": {"type": "object"}, "spec": specification}
    jsonschema.validate(document, record(list(members), members))
    if document["kind"] == "ScaledObject":
        kubernetes_validate.validate(_autoscaler(document["spec"]), kubernetes, strict=True)


def _autoscaler(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the autoscaler that KEDA makes of a specification, but for its metrics."""
    config = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda-hpa"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", **spec["scaleTargetRef"]},
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            **config,
        },
    }
