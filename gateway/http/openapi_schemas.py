"""Parts of the OpenAPI document that do not depend on the models served."""

from __future__ import annotations

from gateway.codec.v2 import DATATYPES
from gateway.http.openapi_approvals import APPROVALS
from gateway.http.openapi_baselines import BASELINES
from gateway.http.openapi_console import CONSOLE
from gateway.http.openapi_parts import (
    INTEGER,
    NUMBER,
    PERCENT,
    STRING,
    Part,
    list_of,
    map_of,
    members,
    object_of,
    or_null,
    ref,
)
from gateway.http.openapi_releases import RELEASES
from gateway.http.openapi_rollout_schemas import ROLLOUTS
from gateway.http.openapi_tokens import TOKENS

__all__ = ["SCHEMAS"]

STATES: Part = {"enum": ["loading", "ready", "resting", "failed", "refused", "crashed"]}
REASON: Part = {"type": "string", "maxLength": 500}
RESIDENT = ("provider", "memory_bytes")


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
        variant={"enum": ["stable", "canary", "pinned", "constant"]},
        predictions=list_of({}),
        classes=list_of({"type": ["string", "integer"]}),
        probabilities=list_of(list_of({"type": ["number", "null"]})),
    ),
}
ROWS: Part = {"type": "array", "minItems": 1}
SCORING: dict[str, Part] = {
    "Predictions": object_of("A non-finite number is `null`.", predictions=list_of({})),
    "ScoringRequest": {
        "type": "object",
        "description": "`inputs` is a list of rows or an object of columns.",
        "properties": {
            "dataframe_split": object_of(
                optional=("index",),
                columns=list_of(STRING),
                data=list_of(list_of({})),
                index={"type": ["array", "null"]},
            )
            | {"additionalProperties": False},
            "dataframe_records": ROWS,
            "instances": ROWS,
            "inputs": {"anyOf": [ROWS, map_of(ROWS)]},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
}
TENSOR: dict[str, Part] = {
    "name": STRING,
    "shape": list_of({"type": "integer", "minimum": 0}),
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
        "-1 in `shape` is a free axis.", name=STRING, datatype={"enum": sorted(DATATYPES)}, shape=list_of(INTEGER)
    ),
    "ModelMetadata": object_of(
        name=STRING,
        versions=list_of(STRING),
        platform={"const": "onnx_onnxv1"},
        inputs=list_of(ref("TensorMetadata")),
        outputs=list_of(ref("TensorMetadata")),
    ),
    "RepositoryIndex": list_of(
        object_of(name=STRING, version=STRING, state={"enum": ["READY", "LOADING", "UNAVAILABLE"]}, reason=STRING)
    ),
    "Statistics": object_of(
        "Since the first start; a version's work as a shadow is left out. A count of 0 is also what is not measured.",
        model_stats=list_of(
            object_of(
                name=STRING,
                version=STRING,
                last_inference=INTEGER,
                inference_count=INTEGER,
                execution_count=INTEGER,
                inference_stats=map_of(object_of(count=INTEGER, ns=INTEGER)),
                batch_stats={"type": "array", "maxItems": 0},
            )
        ),
    ),
    "InferRequest": object_of(
        optional=("id", "parameters", "outputs"),
        id=STRING,
        parameters={"type": "object"},
        inputs=list_of(members(TENSOR, ("data", "parameters"))),
        outputs=list_of(object_of(optional=("parameters",), name=STRING, parameters={"type": "object"})),
    ),
    "InferAnswer": object_of(
        "`id` is the request's own, else its x-request-id. A non-finite number in `data` is `null`.",
        model_name=STRING,
        model_version=STRING,
        id=STRING,
        parameters={"type": "object"},
        outputs=list_of(members(TENSOR, ("data", "parameters"))),
    ),
}
ADMIN: dict[str, Part] = {
    "RouteRequest": object_of(
        "What is left out is removed. A version plays one role; only a canary may be a shadow too.",
        optional=("canary", "shadow"),
        stable={"type": "string", "minLength": 1},
        canary=or_null(CANARY | {"additionalProperties": False}),
        shadow=list_of(SHADOW | {"additionalProperties": False}),
        reason={"type": "string", "minLength": 1, "maxLength": 500},
    )
    | {"additionalProperties": False},
    "Route": object_of(
        model=STRING,
        revision=INTEGER,
        stable=STRING,
        stable_weight=PERCENT,
        canary=or_null(CANARY),
        shadow=list_of(SHADOW),
        previous_stable=or_null(STRING),
        salt=STRING,
        reason=STRING,
        updated_at=STRING,
        updated_by=STRING,
        stop=or_null(
            object_of(
                reason=STRING,
                since=STRING,
                by=STRING,
                version=or_null(STRING),
                answer=or_null({"type": "object", "description": "One row of the version's outputs, by name."}),
            )
        ),
    ),
    "StopRequest": {
        **object_of(
            "The version alone answers from now on; without, every request is refused. The body may be left out.",
            optional=("reason", "version", "answer"),
            reason=REASON,
            version=or_null(STRING),
            answer={
                "description": "What every row is answered with, without a model being asked: a class of a classifier, "
                "the number of a regression, or an object with one row of every output by name. It must be one that "
                "the version could give (the stable one, where none is named)."
            },
        ),
        "additionalProperties": False,
    },
    "Reason": {
        **object_of("The body may be left out.", optional=("reason",), reason=REASON),
        "additionalProperties": False,
    },
    "Model": object_of(
        model=STRING,
        route=or_null(ref("Route")),
        versions=list_of(
            object_of(
                version=STRING,
                role=or_null({"enum": ["stable", "canary", "shadow", "previous", "fallback"]}),
                digest=or_null(STRING),
                missing=list_of(STRING),
                workers=map_of(
                    object_of(optional=RESIDENT, state=STATES, why=STRING, provider=STRING, memory_bytes=INTEGER)
                ),
            )
        ),
    ),
    "LoadProgress": object_of(
        model=STRING,
        version=STRING,
        state={"enum": ["ready", "loading"]},
        workers=map_of(object_of(state=STATES, digest=STRING, why=STRING, provider=STRING, memory_bytes=INTEGER)),
    ),
    "Residency": object_of(
        "What operators asked to have loaded and unloaded.",
        model=STRING,
        pinned=list_of(STRING),
        unloaded=list_of(STRING),
    ),
    "AuditRecord": object_of(
        "`hash` is over all other fields and so over the record before.",
        sequence=INTEGER,
        id=STRING,
        time=STRING,
        actor=map_of(STRING),
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
SHARE_OR_NULL = or_null(NUMBER)
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
        drivers=list_of(
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
        labels=map_of(STRING),
        acknowledged=or_null(object_of(at=NUMBER, by=STRING, reason=STRING)),
        is_false={"type": "boolean"},
        optional=("acknowledged", "is_false"),
    ),
    "Page": object_of(
        alert_id=STRING,
        model=STRING,
        version=STRING,
        variant=STRING,
        cause=STRING,
        calibration=STRING,
        paged_at=NUMBER,
        summary=STRING,
        is_false={"type": "boolean"},
        marked_at=SHARE_OR_NULL,
        marked_by=STRING,
        reason=STRING,
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
        level={"type": "number", "minimum": 0, "description": "1 is where the effect alone would page."},
        labels=list_of(STRING),
        reference_counts=or_null(list_of(INTEGER)),
        counts=list_of(INTEGER),
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
        saturated_reference=SHARE_OR_NULL,
        broken=NUMBER,
        collapse_index=SHARE_OR_NULL,
        collapse_beyond_mix=SHARE_OR_NULL,
        modes=list_of(STRING),
    ),
    "Performance": object_of(
        reference_accuracy=SHARE_OR_NULL,
        estimates=list_of(
            object_of(
                method={"enum": ["cbpe", "atc", "bbse"]},
                accuracy=SHARE_OR_NULL,
                noise=SHARE_OR_NULL,
                why=or_null(STRING),
            )
        ),
        spread=SHARE_OR_NULL,
        labels=list_of(members({"class": STRING, "share": NUMBER, "reference_share": NUMBER})),
    ),
    "Segment": object_of(
        "One value of the feature that tells the reference's rows apart, against its own rows there.",
        name=STRING,
        rows=INTEGER,
        has_few_rows={"type": "boolean"},
        reference_rows=INTEGER,
        share=NUMBER,
        reference_share=NUMBER,
        collapse_index=SHARE_OR_NULL,
        level={"type": "number", "minimum": 0, "description": "The largest of its features and answers."},
        evidence=or_null(object_of(cause=STRING, nats=NUMBER, page_nats=NUMBER)),
        moved=list_of(
            object_of(name=STRING, statistic=STRING, effect=NUMBER, noise=NUMBER, before=STRING, after=STRING)
        ),
        features=list_of({"type": "object", "description": "As of FeatureEffects, without labels and counts."}),
        predictions=list_of(
            members({"class": STRING, "count": INTEGER, "share": NUMBER, "reference_share": SHARE_OR_NULL})
        ),
    ),
    "Detector": object_of(
        name=STRING,
        calibration={"enum": ["uncalibrated"]},
        is_warm={"type": "boolean"},
        n_seen=INTEGER,
        failed=or_null(STRING),
        signals=list_of(
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
        features=list_of(ref("FeatureEffects")),
        predictions=list_of(
            members({"class": STRING, "count": INTEGER, "share": NUMBER, "reference_share": SHARE_OR_NULL})
        ),
        value=or_null(ref("FeatureEffects")),
        confidence=or_null(ref("Confidence")),
        position=or_null(
            object_of(
                rows=INTEGER,
                mean=NUMBER,
                spread=NUMBER,
                modal=NUMBER,
                modal_reference=NUMBER,
                modes=list_of({"enum": ["constant-output"]}),
            )
        ),
        performance=or_null(ref("Performance")),
        detectors=list_of(ref("Detector")),
        evidence=or_null(
            object_of(
                calibration=CALIBRATION,
                rows=INTEGER,
                summaries=INTEGER,
                late_rows=INTEGER,
                left_out_rows=INTEGER,
                burn_in_rows=INTEGER,
                causes=list_of(object_of(cause=STRING, nats=NUMBER, page_nats=NUMBER)),
            )
        ),
        segments=or_null(object_of(feature=STRING, values=list_of(ref("Segment")))),
        shadow=or_null(object_of(rows=INTEGER, agreement=NUMBER, score_difference=NUMBER)),
    ),
    "DriftReport": object_of(
        "Times are Unix seconds, shares are ratios; what needs a reference is `null` without one.",
        model=STRING,
        as_of=NUMBER,
        versions=list_of(
            object_of(
                version=STRING,
                digest=STRING,
                has_reference={"type": "boolean"},
                reference_error=STRING,
                reference_rows=INTEGER,
                calibration=CALIBRATION,
                evidence_error=STRING,
                faults=list_of(object_of(feature=STRING, kind=STRING, share=NUMBER)),
            )
        ),
        budget=object_of(budget=STRING, allowed=SHARE_OR_NULL, pages=INTEGER, false_pages=INTEGER),
        streams=list_of(ref("Stream")),
        alerts=list_of(ref("Alert")),
    ),
}  # fmt: skip
SCHEMAS: dict[str, Part] = (
    PREDICTION | SCORING | PROTOCOL | ADMIN | APPROVALS | BASELINES | RELEASES | ROLLOUTS | WATCH | CONSOLE | TOKENS
)
