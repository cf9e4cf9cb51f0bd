"""Rollouts as tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.commands.tables import line, table

__all__ = ["show_outcome", "show_rollout", "show_rollouts"]

Document = Mapping[str, Any]


def show_outcome(outcome: Document) -> None:
    """Print what a request came to, or would."""
    if outcome["dry_run"]:
        line("nothing was changed: this is what would be")
    _show_place(outcome["rollout"])
    for violation in outcome["violations"]:
        line(f"in the way: {violation}")


def show_rollout(status: Document) -> None:
    """Print where a rollout is and what each gate says."""
    _show_place(status["rollout"])
    evidence = status["evidence"]
    if evidence is None:
        line("the watch process is away: nothing is known of the evidence")
        return
    if evidence["verdicts"]:
        columns = ("gate", "says", "samples", "still needed", "why")
        table(f"gates, {_seconds(evidence['stage_s'])} in this stage", columns, map(_gate, evidence["verdicts"]))
    for hindrance in evidence["hindrances"]:
        line(f"waits for: {hindrance}")


def show_rollouts(document: Document) -> None:
    """Print the newest rollout of every model."""
    rows = [
        (one["model"], one["stable"], one["candidate"], _state(one), one["updated_at"], one["cause"])
        for one in document["rollouts"]
    ]
    if rows:
        table("rollouts", ("model", "from", "to", "state", "since", "why"), rows)
    else:
        line("no rollouts")


def _show_place(rollout: Document) -> None:
    line(f"{rollout['model']}: {rollout['stable']} to {rollout['candidate']}, {_state(rollout)}")
    table("", ("stage", "is"), _stages(rollout, rollout["plan"]))
    for override in rollout["overrides"]:
        line(f"{override['gate']} is overridden by {override['by']}, {override['at']}: {override['reason']}")
    if rollout["cause"]:
        line(f"{rollout['updated_at']} {rollout['updated_by']}: {rollout['cause']}")


def _stages(rollout: Document, plan: Document) -> list[tuple[str, str]]:
    names = [("validating", 0), *([("shadow", 0)] if plan["shadow"] else [])]
    names += [("canary", step) for step in range(len(plan["steps"]))] + [("baking", 0)]
    here = (rollout["stage"], rollout["step"] if rollout["stage"] == "canary" else 0)
    at = names.index(here) if here in names else 0
    if rollout["state"] == "completed":
        at = len(names)
    words = ["done"] * at + [rollout["state"].replace("_", " ")] + [""] * len(names)
    return [
        (f"canary {plan['steps'][step]:g} %" if name == "canary" else name, words[i])
        for i, (name, step) in enumerate(names)
    ]


def _gate(verdict: Document) -> tuple[str, ...]:
    needed = verdict["needed"]
    return (
        verdict["gate"],
        verdict["result"],
        str(verdict["samples"]),
        "-" if needed is None else f"about {needed}",
        verdict["why"],
    )


def _state(rollout: Document) -> str:
    weight = f" at {rollout['weight']:g} %" if rollout["weight"] else ""
    return f"{rollout['state'].replace('_', ' ')}{weight}"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
