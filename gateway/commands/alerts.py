"""The verbs of alerts: ``weir alerts``, and what an operator says of one."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Reason, TokenFile, Url, client_of

__all__ = ["register"]

Alert = Annotated[str, typer.Argument(help="Id of the alert, as weir alerts shows it.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.command("alerts")(alerts)
    app.command("acknowledge")(acknowledge)
    app.command("mark-false")(mark_false)


def alerts(url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False) -> None:
    """Show open alerts, and those resolved not long ago."""
    from gateway.commands.tables import show_alerts, show_json

    document = client_of(url, token_file, ca_file).get("alerts")
    (show_json if as_json else show_alerts)(document)


def acknowledge(
    alert: Alert,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that you are at an open alert; it stays open until what it saw is over."""
    from gateway.commands.tables import show_acknowledgement, show_json

    said = client_of(url, token_file, ca_file).post("alerts", alert, "acknowledge", reason=reason)
    (show_json if as_json else show_acknowledgement)(said)


def mark_false(
    alert: Alert,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Say that an alert woke somebody for nothing: it counts against the budget of false pages."""
    from gateway.commands.tables import show_json, show_page

    page = client_of(url, token_file, ca_file).post("alerts", alert, "false", reason=reason)
    (show_json if as_json else show_page)(page)
