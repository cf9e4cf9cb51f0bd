"""Rollouts in the OpenAPI document."""

from __future__ import annotations

from gateway import errors
from gateway.http.openapi_answers import answer
from gateway.http.openapi_guarded import CHANGING, READING, WATCHED, all_of, reason_body, stored
from gateway.http.openapi_parts import Part, body_of, path_parameter, ref

__all__ = ["ASKED", "rollout_paths"]

_OUTCOME = answer("The rollout afterwards; with `dry_run` as it would be.", ref("RolloutOutcome"))
ASKED: list[Part] = [
    {
        "name": "dry_run",
        "in": "query",
        "description": "`true` changes nothing and lists what would stand in the way.",
        "schema": {"type": "boolean", "default": False},
    },
    {
        "name": "idempotency-key",
        "in": "header",
        "description": "A request that was carried out under this key, one of the model's last sixteen, is not carried "
        "out again; another request under it is refused.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
]
_ASKING = (*CHANGING, errors.IdempotencyKeyReused)
_VERBS = {
    "pause": ("pauseRollout", "Stop a rollout where it is; evidence against it still takes it back"),
    "resume": ("resumeRollout", "Let a paused or held rollout go on"),
    "abort": ("abortRollout", "Take the candidate's traffic away and put it in quarantine"),
    "promote": ("promoteRollout", "Go to the next stage without waiting for evidence"),
}


def rollout_paths() -> dict[str, Part]:
    """Return the paths under ``/admin/v1/rollouts``."""
    of_model = [path_parameter("model")]
    one = answer("The rollout, and what the evidence says now.", ref("RolloutStatus"))
    paths: dict[str, Part] = {
        "/admin/v1/rollouts": {
            "get": stored("rollouts", "The newest rollout of every model", all_of("Rollout", "rollouts")),
            "post": _start(),
        },
        "/admin/v1/rollouts/{model}": {
            "parameters": of_model,
            "get": stored("rollout", "A model's newest rollout", one, errors.ResourceUnknown),
        },
    }
    for verb, (name, summary) in _VERBS.items():
        kinds = (*_ASKING, errors.ResourceUnknown, errors.RolloutRefused, errors.GovernanceUnmet, errors.VersionNotWarm)
        told = stored(name, summary, _OUTCOME, *kinds, parameters=ASKED, requestBody=reason_body())
        paths[f"/admin/v1/rollouts/{{model}}/{verb}"] = {"parameters": of_model, "post": told}
    paths["/admin/v1/rollouts/{model}/override"] = {"parameters": of_model, "post": _override()}
    paths["/admin/v1/rollouts/{model}/outcomes"] = {"parameters": of_model, "post": _outcomes()}
    return paths


def _outcomes() -> Part:
    kinds = (*READING, *WATCHED, errors.ResourceUnknown)
    told = answer("What became of them.", ref("OutcomesTaken"))
    summary = "Report what turned out to be right for requests of a rollout"
    return stored("reportOutcomes", summary, told, *kinds, requestBody=body_of(ref("OutcomesReport")))


def _override() -> Part:
    kinds = (*_ASKING, errors.ResourceUnknown, errors.RolloutRefused, errors.GovernanceUnmet)
    summary = "Answer for a gate that has not passed in this stage; an abort cannot be overridden"
    body = body_of(ref("OverrideRequest"))
    return stored("overrideGate", summary, _OUTCOME, *kinds, parameters=ASKED, requestBody=body)


def _start() -> Part:
    kinds = (*_ASKING, errors.VersionUnknown, errors.RolloutRefused, errors.GovernanceUnmet)
    summary = "Roll a version out, by evidence"
    body = body_of(ref("RolloutRequest"))
    told = stored("startRollout", summary, _OUTCOME, *kinds, parameters=ASKED, requestBody=body)
    told["responses"]["201"] = answer("The rollout has begun.", ref("RolloutOutcome"))
    return told
