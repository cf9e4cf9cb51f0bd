"""Approvals as tables that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.commands.tables import line, table

__all__ = ["show_approvals", "show_outcome", "show_versions"]

Document = Mapping[str, Any]
_DIGEST_LETTERS = 19


def show_approvals(told: Document) -> None:
    """Print how a version stands, and everything that was said of its digest."""
    name = f"{told['model']} {told['version']}"
    if told["tier"] is None:
        line(f"{name}: no policy is in force, so nothing is demanded of it")
        return
    says = "may take live traffic" if told["may_take_traffic"] else "may not take live traffic yet"
    line(f"{name}, tier {told['tier']}, {told['digest'] or 'digest not known'}: {says}")
    if told["approvals"]:
        columns = ("approved by", "as", "at", "until", "counts", "comment")
        table("", columns, [_approval(one, told["approved_by"]) for one in told["approvals"]])
    if told["break_glass"]:
        columns = ("glass broken by", "ticket", "at", "until", "reviewed by", "why")
        table("", columns, map(_grant, told["break_glass"]))
    for lack in told["missing"]:
        line(f"missing: {lack['what']}: {lack['command']}")
    if told["remark"]:
        line(f"note: {told['remark']}")


def show_versions(model: Document) -> None:
    """Print what each version of a model lacks before it may take live traffic, or more of it."""
    rows = [
        (
            one["version"],
            one["role"] or "-",
            (one["digest"] or "-")[:_DIGEST_LETTERS],
            "; ".join(one["missing"]) or "nothing",
        )
        for one in model["versions"]
    ]
    table(model["model"], ("version", "role", "digest", "lacks"), rows)


def show_outcome(outcome: Document) -> None:
    """Print what a request came to, or would."""
    if outcome["dry_run"]:
        line("nothing was changed: this is what would be")
    show_approvals(outcome["approvals"])
    for violation in outcome["violations"]:
        line(f"in the way: {violation}")


def _approval(one: Document, counted: list[str]) -> tuple[str, ...]:
    counts = "expired" if one["is_expired"] else "yes" if one["subject"] in counted else "no"
    return (one["subject"], one["role"], one["at"][:19], one["expires_at"][:19], counts, one["comment"])


def _grant(one: Document) -> tuple[str, ...]:
    until = f"{one['expires_at'][:19]}{'' if one['is_in_force'] else ' (over)'}"
    return (one["subject"], one["ticket"], one["at"][:19], until, one["reviewed_by"] or "nobody yet", one["reason"])
