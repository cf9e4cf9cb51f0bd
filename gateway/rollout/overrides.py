"""What an operator may answer for in a rollout, and what never: evidence against the candidate. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.rollout.document import Hindrance, Override, RolloutDocument

__all__ = ["LONGEST_REASON", "OverrideRequest", "overridden", "require_reason", "unanswerable"]

LONGEST_REASON = 500


def require_reason(reason: str) -> None:
    """Raise ``ValueError`` for a reason that says nothing, or too much."""
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise ValueError(f"reason is 1 to {LONGEST_REASON} characters that say why")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideRequest:
    """The body that answers for a gate."""

    gate: Hindrance
    reason: str

    def __post_init__(self) -> None:
        require_reason(self.reason)


def unanswerable(rollout: RolloutDocument, gate: Hindrance, known: Mapping[str, Any]) -> Iterator[str]:
    """Yield why an operator cannot answer for a gate.

    Parameters
    ----------
    known
        What the watch says of the rollout: a gate that aborts under ``verdicts`` is never answered for.
    """
    if not rollout.is_active or rollout.state == "rolling_back":
        yield f"it is {rollout.state}; there is nothing to override"
    elif gate != "incident" and gate not in rollout.gates:
        yield f"{gate} is no gate of its stage, {rollout.stage}, which has {', '.join(rollout.gates) or 'none'}"
    elif gate in rollout.overridden:
        yield f"{gate} is overridden already"
    for verdict in known.get("verdicts", ()):
        if verdict["result"] == "abort":
            yield f"{verdict['gate']} aborts, which cannot be overridden: {verdict['why']}"


def overridden(rollout: RolloutDocument, request: OverrideRequest, *, by: str, now: str) -> RolloutDocument:
    """Return a rollout of whose gate somebody answers for, one revision higher; until it leaves its stage."""
    override = Override(request.gate, by, now, request.reason.strip())
    return replace(
        rollout,
        overrides=(*rollout.overrides, override),
        updated_at=now,
        updated_by=by,
        revision=rollout.revision + 1,
    )
