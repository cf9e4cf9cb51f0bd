"""Parts of the OpenAPI document that do not depend on the models served."""

from __future__ import annotations

from gateway.codec.v2 import DATATYPES
from gateway.http.openapi_parts import Part, members, object_of, ref

__all__ = ["SCHEMAS"]

STRING: Part = {"type": "string"}
NUMBER: Part = {"type": "number"}
INTEGER: Part = {"type": "integer"}
PERCENT: Part = {"type": "number", "minimum": 0, "maximum": 100, "multipleOf": 0.01}
STATES: Part = {"enum": ["loading", "ready", "resting", "failed", "refused"]}
REASON: Part = {"type": "string", "maxLength": 500}
RESIDENT = ("provider", "memory_bytes")


def _list(items: Part) -> Part:
    return {"type": "array", "items": items}


def _map(values: Part) -> Part:
    return {"type": "object", "additionalProperties": values}


def _or_null(schema: Part) -> Part:
    return {"anyOf": [schema, {"type": "null"}]}


CANARY = object_of(version=STRING, weight=PERCENT)
SHADOW = object_of(optional=("sample",), version=STRING, sample=PERCENT)

PREDICTION: dict[str, Part] = {
    "PredictRequest": object_of(
        "Rows for one model; the concrete paths give each model's own schema.",
        optional=("model",),
        instances={"type": "array", "minItems": 1},
        model={"type": ["string", "null"], "description": "The model, where the path names none."},
    )
    | {"additionalProperties": False},
    "PredictAnswer": object_of(
        "`classes` and `probabilities` are there where the model has them. A non-finite number is `null`.",
        optional=("classes", "probabilities"),
        id=STRING,
        model=STRING,
        version=STRING,
        variant={"enum": ["stable", "canary", "pinned"]},
        predictions=_list({}),
        classes=_list({"type": ["string", "integer"]}),
        probabilities=_list(_list({"type": ["number", "null"]})),
    ),
}
ROWS: Part = {"type": "array", "minItems": 1}
SCORING: dict[str, Part] = {
    "Predictions": object_of("A non-finite number is `null`.", predictions=_list({})),
    "ScoringRequest": {
        "type": "object",
        "description": "`inputs` is a list of rows or an object of columns.",
        "properties": {
            "dataframe_split": object_of(
                optional=("index",), columns=_list(STRING), data=_list(_list({})), index={"type": ["array", "null"]}
            )
            | {"additionalProperties": False},
            "dataframe_records": ROWS,
            "instances": ROWS,
            "inputs": {"anyOf": [ROWS, _map(ROWS)]},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}
TENSOR: dict[str, Part] = {
    "name": STRING,
    "shape": _list({"type": "integer", "minimum": 0}),
    "datatype": {"enum": sorted(DATATYPES)},
    "data": {"type": "array", "description": "Nested, or flat in row-major order. Absent where raw bytes follow."},
    "parameters": {
        "type": "object",
        "description": "`binary_data_size` is the number of raw bytes behind the JSON.",
        "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
    },
}
PROTOCOL: dict[str, Part] = {
    "TensorMetadata": object_of(
        "-1 in `shape` is a free axis.", name=STRING, datatype={"enum": sorted(DATATYPES)}, shape=_list(INTEGER)
    ),
    "ModelMetadata": object_of(
        name=STRING,
        versions=_list(STRING),
        platform={"const": "onnx_onnxv1"},
        inputs=_list(ref("TensorMetadata")),
        outputs=_list(ref("TensorMetadata")),
    ),
    "RepositoryIndex": _list(
        object_of(name=STRING, version=STRING, state={"enum": ["READY", "LOADING", "UNAVAILABLE"]}, reason=STRING)
    ),
    "Statistics": object_of(
        "Since the first start; a version's work as a shadow is left out. A count of 0 is also what is not measured.",
        model_stats=_list(
            object_of(
                name=STRING,
                version=STRING,
                last_inference=INTEGER,
                inference_count=INTEGER,
                execution_count=INTEGER,
                inference_stats=_map(object_of(count=INTEGER, ns=INTEGER)),
                batch_stats={"type": "array", "maxItems": 0},
            )
        ),
    ),
    "InferRequest": object_of(
        optional=("id", "parameters", "outputs"),
        id=STRING,
        parameters={"type": "object"},
        inputs=_list(members(TENSOR, ("data", "parameters"))),
        outputs=_list(object_of(optional=("parameters",), name=STRING, parameters={"type": "object"})),
    ),
    "InferAnswer": object_of(
        "`id` is the request's own, else its x-request-id. A non-finite number in `data` is `null`.",
        model_name=STRING,
        model_version=STRING,
        id=STRING,
        parameters={"type": "object"},
        outputs=_list(members(TENSOR, ("data", "parameters"))),
    ),
}
ADMIN: dict[str, Part] = {
    "RouteRequest": object_of(
        "What is left out is removed. A version plays one role; only a canary may be a shadow too.",
        optional=("canary", "shadow"),
        stable={"type": "string", "minLength": 1},
        canary=_or_null(CANARY | {"additionalProperties": False}),
        shadow=_list(SHADOW | {"additionalProperties": False}),
        reason={"type": "string", "minLength": 1, "maxLength": 500},
    )
    | {"additionalProperties": False},
    "Route": object_of(
        model=STRING,
        revision=INTEGER,
        stable=STRING,
        stable_weight=PERCENT,
        canary=_or_null(CANARY),
        shadow=_list(SHADOW),
        previous_stable=_or_null(STRING),
        salt=STRING,
        reason=STRING,
        updated_at=STRING,
        updated_by=STRING,
    ),
    "Reason": {
        **object_of("The body may be left out.", optional=("reason",), reason=REASON),
        "additionalProperties": False,
    },
    "Model": object_of(
        model=STRING,
        route=_or_null(ref("Route")),
        versions=_list(
            object_of(
                version=STRING,
                role=_or_null({"enum": ["stable", "canary", "shadow", "previous"]}),
                digest=_or_null(STRING),
                workers=_map(
                    object_of(optional=RESIDENT, state=STATES, why=STRING, provider=STRING, memory_bytes=INTEGER)
                ),
            )
        ),
    ),
    "LoadProgress": object_of(
        model=STRING,
        version=STRING,
        state={"enum": ["ready", "loading"]},
        workers=_map(object_of(state=STATES, digest=STRING, why=STRING, provider=STRING, memory_bytes=INTEGER)),
    ),
    "Residency": object_of(
        "What operators asked to have loaded and unloaded.",
        model=STRING,
        pinned=_list(STRING),
        unloaded=_list(STRING),
    ),
    "AuditRecord": object_of(
        "`hash` is over all other fields and so over the record before.",
        sequence=INTEGER,
        id=STRING,
        time=STRING,
        actor=_map(STRING),
        action=STRING,
        resource=STRING,
        before={},
        after={},
        reason=STRING,
        request_id=STRING,
        evidence={"type": "object"},
        previous_hash=STRING,
        hash=STRING,
    ),
}
SHARE_OR_NULL = _or_null(NUMBER)
CALIBRATION: Part = {"enum": ["profile", "baseline", "rule", "uncalibrated"]}
WATCH: dict[str, Part] = {
    "Alert": object_of(
        id=STRING,
        model=STRING,
        version=STRING,
        variant={"enum": ["stable", "canary", "shadow"]},
        cause={
            "enum": [
                "data-quality", "drift", "prediction-drift", "confidence-collapse", "broken-output", "no-data",
            ]
        },
        state={"enum": ["warn", "firing", "recovering", "resolved"]},
        severity={"enum": ["info", "warning", "page"]},
        effect=NUMBER,
        threshold=NUMBER,
        since=NUMBER,
        updated_at=NUMBER,
        summary=STRING,
        drivers=_list(
            object_of(name=STRING, statistic=STRING, effect=NUMBER, threshold=NUMBER, before=STRING, after=STRING)
        ),
        evidence=SHARE_OR_NULL,
        evidence_threshold=SHARE_OR_NULL,
        calibration=CALIBRATION,
        assumes=STRING,
        budget=STRING,
        resolved_at=SHARE_OR_NULL,
        suggested_action=STRING,
        runbook=STRING,
        labels=_map(STRING),
    ),
    "FeatureEffects": object_of(
        name=STRING,
        psi=SHARE_OR_NULL,
        psi_band=SHARE_OR_NULL,
        jensen_shannon=SHARE_OR_NULL,
        jensen_shannon_band=SHARE_OR_NULL,
        ks=SHARE_OR_NULL,
        ks_band=SHARE_OR_NULL,
        wasserstein=SHARE_OR_NULL,
        wasserstein_noise=SHARE_OR_NULL,
        missing=NUMBER,
        missing_reference=SHARE_OR_NULL,
        unseen=NUMBER,
        unseen_reference=SHARE_OR_NULL,
        outside=NUMBER,
        labels=_list(STRING),
        reference_counts=_or_null(_list(INTEGER)),
        counts=_list(INTEGER),
    ),
    "Confidence": object_of(
        rows=INTEGER,
        entropy_nats=NUMBER,
        margin=NUMBER,
        margin_reference=SHARE_OR_NULL,
        information_nats=NUMBER,
        information_reference_nats=SHARE_OR_NULL,
        effective_classes=NUMBER,
        saturated=NUMBER,
        broken=NUMBER,
        collapse_index=SHARE_OR_NULL,
        modes=_list(STRING),
    ),
    "Performance": object_of(
        reference_accuracy=SHARE_OR_NULL,
        estimates=_list(
            object_of(
                method={"enum": ["cbpe", "atc", "bbse"]},
                accuracy=SHARE_OR_NULL,
                noise=SHARE_OR_NULL,
                why=_or_null(STRING),
            )
        ),
        spread=SHARE_OR_NULL,
        labels=_list(members({"class": STRING, "share": NUMBER, "reference_share": NUMBER})),
    ),
    "Detector": object_of(
        name=STRING,
        calibration={"enum": ["uncalibrated"]},
        is_warm={"type": "boolean"},
        n_seen=INTEGER,
        failed=_or_null(STRING),
        signals=_list(
            object_of(signal=STRING, value=NUMBER, statistic=NUMBER, detections=INTEGER, detected_at=SHARE_OR_NULL)
        ),
    ),
    "Stream": object_of(
        version=STRING,
        digest=STRING,
        variant={"enum": ["stable", "canary", "shadow", "pinned"]},
        since=NUMBER,
        last_row_at=SHARE_OR_NULL,
        rows=INTEGER,
        rows_total=INTEGER,
        late_rows=INTEGER,
        window_from=SHARE_OR_NULL,
        window_to=SHARE_OR_NULL,
        rows_since=INTEGER,
        features=_list(ref("FeatureEffects")),
        predictions=_list(
            members({"class": STRING, "count": INTEGER, "share": NUMBER, "reference_share": SHARE_OR_NULL})
        ),
        value=_or_null(ref("FeatureEffects")),
        confidence=_or_null(ref("Confidence")),
        performance=_or_null(ref("Performance")),
        detectors=_list(ref("Detector")),
        evidence=_or_null(
            object_of(
                calibration=CALIBRATION,
                rows=INTEGER,
                summaries=INTEGER,
                late_rows=INTEGER,
                left_out_rows=INTEGER,
                burn_in_rows=INTEGER,
                causes=_list(object_of(cause=STRING, nats=NUMBER, page_nats=NUMBER)),
            )
        ),
        shadow=_or_null(object_of(rows=INTEGER, agreement=NUMBER, score_difference=NUMBER)),
    ),
    "DriftReport": object_of(
        "Times are Unix seconds, shares are ratios; what needs a reference is `null` without one.",
        model=STRING,
        as_of=NUMBER,
        versions=_list(
            object_of(
                version=STRING,
                digest=STRING,
                has_reference={"type": "boolean"},
                reference_error=STRING,
                reference_rows=INTEGER,
                calibration=CALIBRATION,
                evidence_error=STRING,
                faults=_list(object_of(feature=STRING, kind=STRING, share=NUMBER)),
            )
        ),
        streams=_list(ref("Stream")),
        alerts=_list(ref("Alert")),
    ),
}  # fmt: skip
SCHEMAS: dict[str, Part] = PREDICTION | SCORING | PROTOCOL | ADMIN | WATCH
