"""The document of a rollout: everything that a leader needs to go on where another one stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from gateway.codec.documents import decode_document, encode_document
from gateway.errors import DocumentInvalid, Fault
from gateway.rollout.plan import Plan
from gateway.state.store import Document
from monitors.records import TrialSpec

__all__ = [
    "STATES",
    "TERMINAL",
    "Hindrance",
    "Override",
    "RolloutDocument",
    "RolloutState",
    "Stage",
    "decode_rollout",
    "encode_rollout",
    "rollout_key",
    "rollout_view",
    "trial_spec",
]

Stage = Literal["validating", "shadow", "canary", "baking"]
RolloutState = Literal[
    "draft",
    "validating",
    "shadow",
    "canary",
    "baking",
    "holding",
    "paused",
    "rolling_back",
    "completed",
    "rolled_back",
    "failed",
    "superseded",
]
Hindrance = Literal["errors", "latency", "predictions", "outcomes", "shadow", "baking", "incident"]
"""What an operator may answer for: a gate, or an incident of the stable version."""

STATES: tuple[RolloutState, ...] = get_args(RolloutState)
TERMINAL: frozenset[RolloutState] = frozenset({"completed", "rolled_back", "failed", "superseded"})
"""States in which a rollout is over."""


@dataclass(frozen=True, slots=True)
class Override:
    """Something that need not pass in the present stage, because an operator answers for it."""

    gate: Hindrance
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDocument:
    """One rollout of one model, the newest one.

    Parameters
    ----------
    stable, candidate, digest
        The version that serves, the one that is to take its place, and what the candidate was when it had loaded.
    state, stage, step
        Where it is. ``stage`` says what a held or paused rollout would go on with.
    salt
        Of the split, the same in all steps, so that a higher weight only adds keys.
    since_revision
        Route revision that began the stage.
    leader, restarts
        Who gathers the evidence of the stage, and how often it had to begin anew.
    rearms
        How often workers that had given up the canary were asked to try again in this stage.
    entered_at, held_at
        Unix seconds at which the stage began, and at which it was held; 0 while it is not.
    overrides
        What operators answer for in this stage. Evidence against the candidate takes it back all the same.
    is_pinned
        Whether the rollout asked for the candidate to be loaded, and takes that back at its end.
    is_past_cap
        Whether a human has let the canary grow beyond what its tier allows without one.
    is_automatic
        Whether the last move was decided by the policy and not by an operator.
    cause
        Why it is in this state.
    applied
        The newest idempotency keys of requests that were carried out for the model, this rollout's and those before
        it; see :mod:`gateway.rollout.idempotency`.
    """

    id: str
    model: str
    stable: str
    candidate: str
    plan: Plan
    salt: str
    reason: str
    state: RolloutState = "draft"
    stage: Stage = "validating"
    step: int = 0
    digest: str = ""
    since_revision: int = 0
    leader: str = ""
    restarts: int = 0
    rearms: int = 0
    entered_at: float = 0.0
    held_at: float = 0.0
    overrides: tuple[Override, ...] = ()
    is_pinned: bool = False
    is_past_cap: bool = False
    is_automatic: bool = False
    cause: str = ""
    created_at: str = ""
    created_by: str = ""
    updated_at: str = ""
    updated_by: str = ""
    applied: tuple[str, ...] = ()
    revision: int = 0

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self.state not in TERMINAL

    @property
    def weight_bp(self) -> int:
        """The canary's weight in this stage, in basis points."""
        return self.plan.weight_bp(self.step) if self.stage == "canary" else 0

    @property
    def overridden(self) -> frozenset[str]:
        """What need not pass in this stage."""
        return frozenset(override.gate for override in self.overrides)

    @property
    def gates(self) -> tuple[Hindrance, ...]:
        """Gates of this stage that can hinder it; the split is none of them, since it only says who was compared."""
        guards = self.plan.guards
        outcomes: tuple[Hindrance, ...] = ("outcomes",) if guards.outcomes and guards.outcomes.required else ()
        if self.stage == "canary":
            latency: tuple[Hindrance, ...] = ("latency",) if guards.latency is not None else ()
            predictions: tuple[Hindrance, ...] = ("predictions",) if guards.predictions is not None else ()
            return ("errors", *latency, *predictions, *outcomes)
        if self.stage == "baking":
            return ("baking", *outcomes)
        return () if self.stage == "validating" else (self.stage,)


def rollout_key(model: str) -> str:
    """Return the key under which a model's newest rollout is stored; those before it live on in the audit chain."""
    return f"rollout/{model}"


def encode_rollout(rollout: RolloutDocument) -> bytes:
    """Write a rollout as canonical JSON; its revision is the store's and is written as 0."""
    return encode_document(replace(rollout, revision=0))


def decode_rollout(document: Document) -> RolloutDocument:
    """Read what :func:`encode_rollout` wrote; raise ``DocumentInvalid`` for anything else."""
    rollout = decode_document(document.body, RolloutDocument, source=document.key)
    steps = len(rollout.plan.steps)
    if not 0 <= rollout.step < steps:
        fault = Fault("/step", "out_of_range", f"one of the plan's {steps}, 0 to {steps - 1}", str(rollout.step))
        raise DocumentInvalid(document.key, [fault])
    return replace(rollout, revision=document.revision)


def rollout_view(rollout: RolloutDocument) -> dict[str, Any]:
    """Show a rollout to operators: without salt and idempotency keys, weights in percent."""
    view = asdict(rollout)
    del view["applied"], view["salt"], view["leader"]
    return {**view, "weight": rollout.plan.steps[rollout.step] if rollout.stage == "canary" else 0.0}


def trial_spec(rollout: RolloutDocument, slow_s: float) -> TrialSpec | None:
    """Return what is to be compared in a rollout's stage; nothing before the first comparison and after the last."""
    if not rollout.is_active or rollout.state in ("draft", "rolling_back") or rollout.stage == "validating":
        return None
    return TrialSpec(
        rollout=rollout.id,
        model=rollout.model,
        stable=rollout.stable,
        candidate=rollout.candidate,
        stage=rollout.stage,
        step=rollout.step,
        steps=len(rollout.plan.steps),
        restarts=rollout.restarts,
        weight_bp=rollout.weight_bp,
        since_revision=rollout.since_revision,
        slow_s=slow_s,
        guards=rollout.plan.guards,
    )
