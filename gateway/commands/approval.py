"""The verbs of approvals: ``weir approval give|list|withdraw|break-glass|review``."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Model, Reason, TokenFile, Url, Version, client_of

__all__ = ["register"]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be, and what stands in the way.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    approval = typer.Typer(
        help="Approve versions before they take live traffic, by their digest.", no_args_is_help=True
    )
    approval.command("give")(give)
    approval.command("list")(list_all)
    approval.command("withdraw")(withdraw)
    approval.command("break-glass")(break_glass)
    approval.command("review")(review)
    app.add_typer(approval, name="approval")


def give(
    model: Model,
    version: Version,
    comment: Annotated[str, typer.Option(help="What you looked at; goes into the audit log.")] = "",
    digest: Annotated[
        str | None, typer.Option(help="Digest that you looked at; refused where the version's is another.")
    ] = None,
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Approve a version, or renew your approval of it. Needs the role approver."""
    body = {"comment": comment, **({} if digest is None else {"digest": digest})}
    steps = ("models", model, "versions", version, "approvals")
    client = client_of(url, token_file, ca_file)
    _show_outcome(client.ask(*steps, body=body, idempotency_key=_key(), dry_run=dry_run), as_json)


def list_all(
    model: Model,
    version: Annotated[str | None, typer.Argument(help="One version; all of the model without.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 where the version may not take live traffic.")
    ] = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Show who approved a version, what it lacks, and who went around it; or what each version of a model lacks."""
    from gateway.commands.approval_tables import show_approvals, show_versions
    from gateway.commands.tables import show_json

    client = client_of(url, token_file, ca_file)
    if version is None:
        if check:
            raise typer.BadParameter("name the version that is to be checked", param_hint="--check")
        found = next((one for one in client.get("models")["models"] if one["model"] == model), None)
        if found is None:
            raise typer.BadParameter(f"the gateway has no model {model!r}", param_hint="MODEL")
        (show_json if as_json else show_versions)(found)
        return
    told = client.get("models", model, "versions", version, "approvals")
    (show_json if as_json else show_approvals)(told)
    if check and not told["may_take_traffic"]:
        raise typer.Exit(1)


def withdraw(
    model: Model,
    version: Version,
    reason: Reason = "",
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Take your own approval back; a canary that lacks one from then on is held. Needs the role approver."""
    steps, client = ("models", model, "versions", version, "approvals"), client_of(url, token_file, ca_file)
    query = {"reason": reason or None, "dry_run": "true" if dry_run else None}
    _show_outcome(client.delete(*steps, **query), as_json)


def break_glass(
    model: Model,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why it cannot wait; goes into the audit log.")],
    ticket: Annotated[str, typer.Option(help="Ticket under which it is followed up.")],
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a version do without what it lacks, for a few hours. An alert tells it until an approver has reviewed it."""
    steps, client = ("models", model, "versions", version, "break-glass"), client_of(url, token_file, ca_file)
    body = {"reason": reason, "ticket": ticket}
    _show_outcome(client.ask(*steps, body=body, idempotency_key=_key(), dry_run=dry_run), as_json)


def review(
    model: Model,
    version: Version,
    comment: Annotated[str, typer.Option(help="What you found; goes into the audit log.")],
    dry_run: DryRun = False,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Review the break-glass grants of others for a version. Needs the role approver."""
    steps = ("models", model, "versions", version, "break-glass", "review")
    client = client_of(url, token_file, ca_file)
    _show_outcome(client.ask(*steps, body={"comment": comment}, idempotency_key=_key(), dry_run=dry_run), as_json)


def _show_outcome(outcome: Any, as_json: bool) -> None:
    """Print what a request came to; a dry run that something stands in the way of ends with 1."""
    from gateway.commands.approval_tables import show_outcome
    from gateway.commands.tables import show_json

    (show_json if as_json else show_outcome)(outcome)
    if outcome["violations"]:
        raise typer.Exit(1)


def _key() -> str:
    return uuid.uuid4().hex
