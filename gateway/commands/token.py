"""The verbs of tokens: ``weir token create``, ``list`` and ``revoke``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Reason, TokenFile, Url, client_of
from gateway.commands.printable import printable

__all__ = ["register"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    token = typer.Typer(help="Give people and programs tokens of their own, with a role.", no_args_is_help=True)
    token.command("create")(create)
    token.command("list")(list_all)
    token.command("revoke")(revoke)
    app.add_typer(token, name="token")


def create(
    role: Annotated[Literal["viewer", "operator", "approver", "admin"], typer.Option(help="What it may be used for.")],
    name: Annotated[str, typer.Option(help="Whose it is; audit records name it.")],
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="After how long it expires, such as 90d, 12h, 30m; never without."),
    ] = None,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once. Standard output has the token alone."""
    from gateway.commands import tables

    body = {"name": name, "role": role, "expires_in_s": _seconds(expires), "reason": reason}
    made = client_of(url, token_file, ca_file).ask("tokens", body=body)
    if as_json:
        tables.show_json(made)
        return
    until = f"until {made['expires_at']}" if made["expires_at"] else "until it is revoked"
    what = printable(f"{made['role']} token {made['id']} of {made['name']}, {until}")
    typer.echo(f"{what}; it is not shown again:", err=True)
    typer.echo(made["token"])
    _tell_behind(made)


def list_all(url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False) -> None:
    """Show every token that has not been revoked."""
    from gateway.commands import tables

    found = client_of(url, token_file, ca_file).get("tokens")
    (tables.show_json if as_json else tables.show_tokens)(found)


def revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of the token, as weir token list shows it.")],
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a token worth nothing, and end the console's sessions that were begun with it."""
    from gateway.commands import tables

    gone = client_of(url, token_file, ca_file).delete("tokens", token, reason=reason or None)
    if as_json:
        tables.show_json(gone)
        return
    typer.echo(f"token {printable(gone['id'])} is revoked")
    _tell_behind(gone)


def _seconds(text: str | None) -> int | None:
    """Return the seconds of a time such as ``90d``.

    >>> _seconds("90d"), _seconds("15m"), _seconds(None)
    (7776000, 900, None)
    """
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time such as 90d, 12h, 30m or 45s", param_hint="--expires")
    return int(match[1]) * _SECONDS[match[2]]


def _tell_behind(answer: Mapping[str, Any]) -> None:
    if answer["behind"]:
        workers = printable(", ".join(answer["behind"]))
        typer.echo(f"not known yet to {workers}: they follow with their next look at the store", err=True)
