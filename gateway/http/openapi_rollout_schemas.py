"""Schemas of rollouts in the OpenAPI document."""

from __future__ import annotations

from gateway.http.openapi_parts import INTEGER, NUMBER, PERCENT, STRING, Part, list_of, object_of, or_null, ref

__all__ = ["ROLLOUTS"]

NUMBER_OR_NULL = or_null(NUMBER)
GATES: Part = {"enum": ["split", "errors", "latency", "predictions", "outcomes", "shadow", "baking"]}
HINDRANCES: Part = {"enum": ["errors", "latency", "predictions", "outcomes", "shadow", "baking", "incident"]}
SECONDS: Part = {"type": "number", "minimum": 0, "maximum": 2_592_000}
SHARE: Part = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
PLAN: Part = object_of(
    "What is left out is as by default.",
    optional=("steps", "shadow", "dwell_s", "bake_s", "validate_s", "hold_s", "on_stall", "guards"),
    steps=list_of(PERCENT) | {"minItems": 1, "maxItems": 20},
    shadow=or_null(object_of(optional=("sample", "dwell_s"), sample=PERCENT, dwell_s=SECONDS)),
    dwell_s=SECONDS,
    bake_s=SECONDS,
    validate_s=SECONDS,
    hold_s=SECONDS,
    on_stall={"enum": ["rollback", "hold"]},
    guards=object_of(
        optional=("errors", "latency", "predictions", "outcomes", "shadow"),
        errors=object_of(
            optional=("margin", "ratio", "keys", "bake_limit"),
            margin=SHARE,
            ratio={"type": "number", "minimum": 1},
            keys={"type": "integer", "minimum": 1},
            bake_limit=SHARE,
        ),
        latency=or_null(
            object_of(
                optional=("quantiles", "ratio", "slack_ms"),
                quantiles=list_of(NUMBER) | {"minItems": 1, "maxItems": 5},
                ratio={"type": "number", "minimum": 1},
                slack_ms={"type": "number", "minimum": 0},
            )
        ),
        predictions=or_null(object_of(optional=("distance",), distance=SHARE)),
        outcomes=or_null(
            object_of(
                optional=("margin", "ratio", "keys", "scale", "required"),
                margin=SHARE,
                ratio={"type": "number", "minimum": 1},
                keys={"type": "integer", "minimum": 1},
                scale=or_null({"type": "number", "exclusiveMinimum": 0}),
                required={"type": "boolean", "default": False},
            )
        ),
        shadow=object_of(
            optional=("disagreement", "comparisons", "dropped"),
            disagreement=SHARE,
            comparisons={"type": "integer", "minimum": 1},
            dropped=SHARE,
        ),
    ),
)
ROLLOUTS: dict[str, Part] = {
    "Plan": PLAN,
    "RolloutRequest": object_of(
        "`override` clears the version's quarantine and the model's cool-down.",
        optional=("plan", "override"),
        model=STRING,
        version=STRING,
        reason={"type": "string", "minLength": 1, "maxLength": 500},
        plan=ref("Plan"),
        override={"type": "boolean", "default": False},
    )
    | {"additionalProperties": False},
    "OverrideRequest": object_of(
        "`incident` is an incident of the stable version, which holds a rollout too.",
        gate=HINDRANCES,
        reason={"type": "string", "minLength": 1, "maxLength": 500},
    )
    | {"additionalProperties": False},
    "Rollout": object_of(
        "`entered_at` and `held_at` are Unix seconds; `weight` is the canary's share in percent.",
        id=STRING,
        model=STRING,
        stable=STRING,
        candidate=STRING,
        digest=STRING,
        plan=ref("Plan"),
        reason=STRING,
        state={
            "enum": [
                "draft", "validating", "shadow", "canary", "baking", "holding", "paused", "rolling_back",
                "completed", "rolled_back", "failed", "superseded",
            ]
        },
        stage={"enum": ["validating", "shadow", "canary", "baking"]},
        step=INTEGER,
        weight=NUMBER,
        since_revision=INTEGER,
        restarts=INTEGER,
        rearms=INTEGER,
        entered_at=NUMBER,
        held_at=NUMBER,
        overrides=list_of(object_of(gate=HINDRANCES, by=STRING, at=STRING, reason=STRING)),
        is_pinned={"type": "boolean"},
        is_past_cap={"type": "boolean"},
        is_automatic={"type": "boolean"},
        cause=STRING,
        created_at=STRING,
        created_by=STRING,
        updated_at=STRING,
        updated_by=STRING,
        revision=INTEGER,
    ),
    "Verdict": object_of(
        "`evidence` and `level` are in nats; `estimate`, `low` and `high` are a difference and its bounds.",
        gate=GATES,
        result={"enum": ["pass", "abort", "inconclusive"]},
        why=STRING,
        evidence=NUMBER_OR_NULL,
        level=NUMBER_OR_NULL,
        estimate=NUMBER_OR_NULL,
        low=NUMBER_OR_NULL,
        high=NUMBER_OR_NULL,
        margin=NUMBER_OR_NULL,
        samples=INTEGER,
        needed=or_null(INTEGER),
    ),
    "RolloutEvidence": object_of(
        is_led_here={"type": "boolean"},
        stage_s=NUMBER,
        held_s=NUMBER,
        hindrances=list_of(STRING),
        verdicts=list_of(ref("Verdict")),
    ),
    "RolloutStatus": object_of(
        "`evidence` is `null` while the watch is away.",
        rollout=ref("Rollout"),
        evidence=or_null(ref("RolloutEvidence")),
    ),
    "OutcomesReport": object_of(
        "What turned out to be right: the name of the class or the value, of several rows of a request the first's.",
        outcomes=list_of(
            object_of(
                request_id={"type": "string", "minLength": 1, "maxLength": 256},
                outcome={"type": ["string", "number"], "maxLength": 256},
            )
            | {"additionalProperties": False}
        )
        | {"minItems": 1, "maxItems": 500},
    )
    | {"additionalProperties": False},
    "OutcomesTaken": object_of(
        "`unknown` are those of requests that are not, or no longer, waited for.",
        received=INTEGER,
        joined=INTEGER,
        unknown=INTEGER,
        unusable=INTEGER,
        is_led_here={"type": "boolean"},
    ),
    "RolloutOutcome": object_of(
        rollout=ref("Rollout"), violations=list_of(STRING), dry_run={"type": "boolean"}
    ),
}  # fmt: skip
