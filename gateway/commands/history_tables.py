"""Intervals of a model's history as tables that people read, and as documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from gateway.audit.history import History, Interval
from gateway.commands.printable import printable
from gateway.commands.tables import blocks, line
from gateway.routing.codec import route_view

__all__ = ["interval_view", "origin_lines", "show_history", "show_moment", "show_notes"]

_DIGEST_LETTERS = 19
"""Of a digest in a table: ``sha256:`` and twelve digits."""

_KEY_LETTERS = 12


def interval_view(interval: Interval) -> dict[str, Any]:
    """Return an interval as a document: the route as the admin API shows it, digests whole."""
    route = interval.route
    shown = None if route is None else route_view(route)
    kept = ("revision", "stable", "stable_weight", "canary", "shadow", "previous_stable", "stop")
    return {
        "begin": interval.begin,
        "end": interval.end,
        "route": None if shown is None else {name: shown[name] for name in kept},
        "digests": interval.digests if route is None else _named(interval),
        "record": interval.sequence,
        "action": interval.action,
        "by": interval.by,
        "reason": interval.reason,
        "evidence": list(interval.evidence),
    }


def show_history(model: str, history: History) -> None:
    """Print all intervals, newest last, and what could not be read."""
    rows = [(_when(one), served_lines(one, history.signers), origin_lines(one)) for one in history.intervals]
    blocks(f"{model}: what served when (UTC)", ("from, until", "served", "who, why, evidence"), rows)
    show_notes(history)


def show_moment(model: str, moment: str, interval: Interval, signers: Mapping[str, str]) -> None:
    """Print what was in force at a time."""
    line(f"{model} at {moment}")
    blocks(
        "",
        ("from, until", "served", "who, why, evidence"),
        [(_when(interval), served_lines(interval, signers), origin_lines(interval))],
    )


def show_notes(history: History, *, err: bool = False) -> None:
    """Print what could not be read or does not fit."""
    for note in history.notes:
        typer.echo(f"note: {printable(note)}", err=err)


def served_lines(interval: Interval, signers: Mapping[str, str]) -> list[str]:
    """Return who served what, a line each, and below each version its digest and the key that signed it."""
    route = interval.route
    if route is None:
        return ["nothing: the route was deleted"]
    if stop := route.stop:
        if stop.version is None:
            return ["STOPPED: all refused"]
        if stop.answer is None:
            return [f"STOPPED: {stop.version} answers all", *_identity(interval, stop.version, signers)]
        return [f"STOPPED: constant answer {json.dumps(stop.answer)}", f"as of {stop.version}, which is not asked"]
    lines = [f"stable {route.stable}: {_percent(route.stable_bp)}", *_identity(interval, route.stable, signers)]
    if route.canary:
        canary = route.canary
        lines += [
            f"canary {canary.version}: {_percent(canary.weight_bp)}",
            *_identity(interval, canary.version, signers),
        ]
    for shadow in route.shadows:
        identity = _identity(interval, shadow.version, signers)
        lines += [f"shadow {shadow.version}: {_percent(shadow.sample_bp)}", *identity]
    return lines


def origin_lines(interval: Interval) -> list[str]:
    """Return by whom, with which request, why and on what evidence a route came into force."""
    record = f"record {interval.sequence}, " if interval.sequence else ""
    return [
        f"{record}{interval.action}",
        f"by {interval.by or 'unknown'}",
        interval.reason or "no reason was given",
        *interval.evidence,
    ]


def _when(interval: Interval) -> list[str]:
    revision = [] if interval.route is None else [f"revision {interval.route.revision}"]
    return [_second(interval.begin), _second(interval.end) if interval.end else "still in force", *revision]


def _named(interval: Interval) -> dict[str, str]:
    versions = interval.route.versions() if interval.route else {}
    return {version: told for version, told in interval.digests.items() if version in versions}


def _identity(interval: Interval, version: str, signers: Mapping[str, str]) -> list[str]:
    digest = interval.digests.get(version)
    signer = signers.get(version)
    lines = ["  digest not recorded" if digest is None else f"  {digest[:_DIGEST_LETTERS]}"]
    return lines if signer is None else [*lines, f"  signed by {signer[:_KEY_LETTERS]}"]


def _second(time: str) -> str:
    return f"{time[:19]}Z".replace("T", " ")


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"
