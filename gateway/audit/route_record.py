"""What one audit record says of a route: the route itself, or the move of a rollout that changed it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from gateway.codec.documents import read_document
from gateway.errors import DocumentInvalid
from gateway.rollout.change import moved_route
from gateway.rollout.document import STATES, RolloutDocument
from gateway.rollout.policy import Move
from gateway.routing.document import FULL_BP, RouteDocument
from gateway.state.store import AuditRecord

__all__ = ["RecordUnusable", "RolloutMove", "cleared", "moved", "route_of"]

_MOVES = {f"rollout.{state}": state for state in STATES}
_DIGITS = 12
_ROLLOUT_FIELDS = frozenset(field.name for field in fields(RolloutDocument))


class RecordUnusable(Exception):
    """A record whose content does not say what it should; the text says why."""


@dataclass(frozen=True, slots=True)
class RolloutMove:
    """A move as its record tells it."""

    move: Move
    before: RolloutDocument
    digest: str
    evidence: tuple[str, ...]

    @property
    def candidate(self) -> str:
        """The version that is rolled out."""
        return self.before.candidate

    @property
    def touches_a_route(self) -> bool:
        """Whether it would have changed the route of its model."""
        return self.route_after(RouteDocument(self.before.model, 0, self.before.stable, "")) is not None

    def route_after(self, route: RouteDocument) -> RouteDocument | None:
        """Return what the move made of a route; ``None`` where it left it as it was."""
        return moved_route(self.move, self.before, route)


def route_of(view: Any, model: str) -> RouteDocument | None:
    """Read a route as an audit record shows it, ``None`` where there was none.

    Raises
    ------
    RecordUnusable
    """
    if view is None:
        return None
    try:
        canary = view["canary"]
        told = {name: view.get(name) for name in ("previous_stable", "stop")}
        document = {
            "model": model,
            "revision": view["revision"],
            "stable": view["stable"],
            "salt": view.get("salt") or "",
            "canary": canary and {"version": canary["version"], "weight_bp": _basis_points(canary["weight"])},
            "shadows": [
                {"version": shadow["version"], "sample_bp": _basis_points(shadow["sample"])}
                for shadow in view["shadow"]
            ],
            **{name: view.get(name) or "" for name in ("reason", "updated_at", "updated_by")},
            **told,
        }
        return read_document(document, RouteDocument, source="route")
    except (DocumentInvalid, KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise RecordUnusable(f"it holds no route that can be read ({_why(error)})") from error


def moved(record: AuditRecord) -> RolloutMove | None:
    """Read the move of a rollout; ``None`` for records of rollouts that move nothing.

    Raises
    ------
    RecordUnusable
    """
    state = _MOVES.get(record.action)
    if state is None:
        return None
    before, after = _rollout(record.before), _rollout(record.after)
    move = Move(state, after.stage, after.step, after.cause, after.rearms > before.rearms)
    said = (*cleared(record), *_verdicts(record.evidence.get("verdicts")))
    return RolloutMove(move, before, after.digest, said)


def cleared(record: AuditRecord) -> tuple[str, ...]:
    """Return by whom each version was approved that a change gave more traffic, and on what evidence, in words."""
    told = record.evidence.get("governance")
    rows = [one for one in told if isinstance(one, dict)] if isinstance(told, list | tuple) else []
    return tuple(map(_clearance, rows))


def _rollout(view: Any) -> RolloutDocument:
    try:
        told = {name: value for name, value in view.items() if name in _ROLLOUT_FIELDS}
        rollout = read_document({"salt": "", **told}, RolloutDocument, source="rollout")
        rollout.plan.weight_bp(rollout.step)
    except (DocumentInvalid, AttributeError, IndexError) as error:
        raise RecordUnusable(f"it holds no rollout that can be read ({_why(error)})") from error
    return rollout


def _verdicts(told: Any) -> list[str]:
    rows = [one for one in told if isinstance(one, dict)] if isinstance(told, list | tuple) else []
    return [f"{one.get('gate')} {one.get('result')}: {one.get('why')}" for one in rows]


def _clearance(told: dict[str, Any]) -> str:
    approvers, missing = (
        [str(one) for one in found] if isinstance(found := told.get(name), list | tuple) else []
        for name in ("approved_by", "missing")
    )
    said = f"{told.get('version')} at tier {told.get('tier')}, approved by {', '.join(approvers) or 'nobody'}"
    if told.get("break_glass"):
        said += f", glass broken by {told['break_glass']}, who did without {'; '.join(missing)}"
    if told.get("release_report_sha256"):
        said += f"; release report {str(told['release_report_sha256'])[:_DIGITS]}"
    return f"{said}; policy {str(told.get('policy_digest'))[:_DIGITS]}"


def _basis_points(percent: Any) -> int:
    return round(float(percent) * FULL_BP / 100)


def _why(error: Exception) -> str:
    if isinstance(error, DocumentInvalid) and error.faults:
        return str(error.faults[0])
    return f"no {error}" if isinstance(error, KeyError) else str(error)
