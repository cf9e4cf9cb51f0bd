"""The verbs of rollouts: ``weir rollout start|status|list|pause|resume|abort|promote|override|outcomes``."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Model, TokenFile, Url, Version, client_of
from gateway.commands.rollout_outcomes import outcomes

if TYPE_CHECKING:
    from gateway.commands.admin_client import AdminClient
    from gateway.rollout.plan import Plan

__all__ = ["register"]

PlanFile = Annotated[
    Path | None, typer.Option("--plan", exists=True, dir_okay=False, help="Plan in YAML; the default one without.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; goes into the audit log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be, and what stands in the way.")]
VERBS = {
    "pause": "Stop a rollout where it is; evidence against it still takes it back.",
    "resume": "Let a paused or held rollout go on.",
    "abort": "Take the candidate's traffic away at once and put it in quarantine.",
    "promote": "Go to the next stage without waiting for evidence.",
}
BACK = ("rolling_back", "rolled_back", "failed")


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    rollout = typer.Typer(help="Give a new version its traffic step by step, by evidence.", no_args_is_help=True)
    rollout.command("start")(start)
    rollout.command("status")(status)
    rollout.command("list")(list_all)
    for verb, does in VERBS.items():
        rollout.command(verb, help=does)(verb_of(verb))
    rollout.command("override")(override)
    rollout.command("outcomes")(outcomes)
    app.add_typer(rollout, name="rollout")


def start(
    model: Model,
    version: Version,
    plan: PlanFile = None,
    reason: Why = "",
    override: Annotated[
        bool, typer.Option("--override", help="Clear the version's quarantine and the model's cool-down.")
    ] = False,
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Roll a version out: shadow, canary step by step, all traffic; back at once when it is worse."""
    body: dict[str, Any] = {"model": model, "version": version, "reason": reason or "weir rollout start"}
    if plan is not None:
        body["plan"] = _plan(plan)
    body |= {"override": True} if override else {}
    _ask((), body, dry_run, client_of(url, token_file, ca_file), as_json)


def status(
    model: Model,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the rollout is over; exits with 1 if it went back.")
    ] = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Show where a rollout is, what each gate says, and how many samples are still needed."""
    from gateway.commands.rollout_tables import show_rollout
    from gateway.commands.tables import show_json

    client = client_of(url, token_file, ca_file)
    found = client.get("rollouts", model)
    while wait and found["rollout"]["state"] not in ("completed", "superseded", *BACK[1:]):
        _pause()
        found = client.get("rollouts", model)
    (show_json if as_json else show_rollout)(found)
    if wait and found["rollout"]["state"] in BACK:
        raise typer.Exit(1)


def list_all(url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False) -> None:
    """Show the newest rollout of every model."""
    from gateway.commands.rollout_tables import show_rollouts
    from gateway.commands.tables import show_json

    (show_json if as_json else show_rollouts)(client_of(url, token_file, ca_file).get("rollouts"))


def verb_of(verb: str) -> Callable[..., None]:
    """Return the command that asks a rollout for a verb of the API."""

    def act(
        model: Model,
        reason: Why = "",
        dry_run: DryRun = False,
        url: Url = LOCAL,
        token_file: TokenFile = None,
        ca_file: CaFile = None,
        as_json: AsJson = False,
    ) -> None:
        _ask((model, verb), {"reason": reason}, dry_run, client_of(url, token_file, ca_file), as_json)

    return act


def override(
    model: Model,
    gate: Annotated[str, typer.Argument(help="Gate of the present stage, or incident.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; goes into the audit log.")],
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Answer for a gate that has not passed in this stage; the others stay in force, and an abort takes back."""
    body = {"gate": gate, "reason": reason}
    _ask((model, "override"), body, dry_run, client_of(url, token_file, ca_file), as_json)


def _ask(steps: tuple[str, ...], body: object, dry_run: bool, client: AdminClient, as_json: bool) -> None:
    _show_outcome(client.ask("rollouts", *steps, body=body, idempotency_key=_key(), dry_run=dry_run), as_json)


def _show_outcome(outcome: Any, as_json: bool) -> None:
    """Print what a request came to; a dry run that something stands in the way of ends with 1."""
    from gateway.commands.rollout_tables import show_outcome
    from gateway.commands.tables import show_json

    (show_json if as_json else show_outcome)(outcome)
    if outcome["violations"]:
        raise typer.Exit(1)


def _plan(path: Path) -> Any:
    """Return the plan of a file as the API takes it, checked here so that faults name the file."""
    import json

    from gateway.codec.documents import encode_document
    from gateway.rollout.plan import parse_plan

    plan: Plan = parse_plan(path.read_bytes(), source=str(path))
    return json.loads(encode_document(plan))


def _key() -> str:
    return uuid.uuid4().hex


def _pause() -> None:
    import time

    time.sleep(1.0)
