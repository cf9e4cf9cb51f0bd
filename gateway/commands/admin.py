"""The verbs of the admin API: routes, rollback, loading, drift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.commands.admin_client import AdminClient

__all__ = ["LOCAL", "AsJson", "CaFile", "Model", "Reason", "TokenFile", "Url", "Version", "client_of", "register"]

NO_ROUTE = "urn:weir:problem:resource-unknown"
NOT_READABLE = "urn:weir:problem:document-invalid"

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[str, typer.Argument(help="Version of the model.")]
Url = Annotated[str, typer.Option("--url", envvar="WEIR_URL", help="Where the gateway listens.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(help="File with the token; else WEIR_TOKEN, WEIR_ADMIN_TOKEN or WEIR_ADMIN_TOKEN_FILE."),
]
CaFile = Annotated[
    Path | None, typer.Option(envvar="WEIR_CA_FILE", help="Certificates to trust, in PEM, instead of the system's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the document instead of a table.")]
Reason = Annotated[str, typer.Option(help="Why; goes into the audit log.")]
LOCAL = "http://127.0.0.1:8080"


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    route = typer.Typer(help="Show or change which version answers.", no_args_is_help=True)
    route.command("show")(show_route)
    route.command("set")(set_route)
    app.add_typer(route, name="route")
    for verb in (rollback, stop, resume, load, unload, drift):
        app.command(verb.__name__)(verb)


def show_route(
    model: Model, url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False
) -> None:
    """Show a model's route."""
    from gateway.commands import tables

    _show(client_of(url, token_file, ca_file).get("models", model, "route"), as_json, tables.show_route)


def set_route(
    model: Model,
    reason: Reason,
    stable: Annotated[str | None, typer.Option(help="Stable version; kept when left out.")] = None,
    canary: Annotated[str | None, typer.Option(metavar="VERSION=PERCENT", help="Canary and its share.")] = None,
    no_canary: Annotated[bool, typer.Option("--no-canary", help="Remove the canary.")] = False,
    shadow: Annotated[
        list[str] | None, typer.Option(metavar="VERSION[=PERCENT]", help="Shadow and its sample; repeatable.")
    ] = None,
    no_shadow: Annotated[bool, typer.Option("--no-shadow", help="Remove all shadows.")] = False,
    if_match: Annotated[int | None, typer.Option(help="Revision to change; the present one when left out.")] = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a model's route. What no option names stays as it is."""
    from gateway.commands import tables
    from gateway.commands.route_edit import RouteEdit, edited_route

    _refuse_both(canary, no_canary, "canary")
    _refuse_both(shadow, no_shadow, "shadow")
    shadows = [_share(text, 100.0) for text in shadow] if shadow else [] if no_shadow else None
    edit = RouteEdit(reason, stable, _share(canary) if canary else None, no_canary, shadows)
    client = client_of(url, token_file, ca_file)
    current, revision = _present(client, model, if_match)
    if not (stable or current):
        raise typer.BadParameter(f"{model} has no route yet: name its stable version", param_hint="--stable")
    if not any((stable, canary, no_canary, shadow, no_shadow)):
        raise typer.BadParameter("nothing to change: name a version for stable, canary or shadow, or remove one")
    answer = client.put("models", model, "route", body=edited_route(current, edit), revision=revision)
    _show(answer, as_json, tables.show_route)


def rollback(
    model: Model,
    reason: Reason = "",
    if_match: Annotated[int | None, typer.Option(help="The only revision to roll back; any when left out.")] = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove the canary or, without one, return to the previous stable version."""
    from gateway.commands import tables

    answer = client_of(url, token_file, ca_file).post("models", model, "rollback", reason=reason, revision=if_match)
    _show(answer, as_json, tables.show_route)


def stop(
    model: Model,
    fallback: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version that answers meanwhile; else all is refused.")
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="ANSWER",
            help="What every row is answered with, without a model being asked: a class, a number, or JSON with one "
            "row of every output.",
        ),
    ] = None,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a model into its safe state until it is resumed: nobody answers, one version does, or all get one answer."""
    from gateway.commands import tables

    body = {"reason": reason, "version": fallback, "answer": None if answer is None else _value(answer)}
    route = client_of(url, token_file, ca_file).ask("models", model, "stop", body=body)
    _show(route, as_json, tables.show_route)


def resume(
    model: Model,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a stopped model's route into force again."""
    from gateway.commands import tables

    answer = client_of(url, token_file, ca_file).post("models", model, "resume", reason=reason)
    _show(answer, as_json, tables.show_route)


def load(
    model: Model,
    version: Version,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Load a version on every worker and keep it; waits up to half a minute."""
    from gateway.commands import tables

    answer = client_of(url, token_file, ca_file).post("models", model, "versions", version, "load", reason=reason)
    _show(answer, as_json, tables.show_progress)


def unload(
    model: Model,
    version: Version,
    reason: Reason = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a version go that no route names."""
    from gateway.commands import tables

    answer = client_of(url, token_file, ca_file).post("models", model, "versions", version, "unload", reason=reason)
    _show(answer, as_json, tables.show_residency)


def drift(
    model: Model, url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False
) -> None:
    """Show how far a model's traffic has moved from its reference."""
    from gateway.commands import tables

    _show(client_of(url, token_file, ca_file).get("models", model, "drift"), as_json, tables.show_drift)


def client_of(url: str, token_file: Path | None, ca_file: Path | None) -> AdminClient:
    """Return the client of a gateway, with the token that is found."""
    from gateway.commands.admin_client import AdminClient, find_token

    return AdminClient(url, find_token(token_file), ca_file)


def _value(text: str) -> Any:
    """Return what a text says in JSON; one that is no JSON is the name of a class."""
    import json
    from math import isfinite

    def no_number(_: str) -> None:
        raise ValueError

    def finite(digits: str) -> float:
        number = float(digits)
        if not isfinite(number):
            raise typer.BadParameter(f"{digits[:40]} is beyond the numbers of 64 bits", param_hint="--answer")
        return number

    try:
        return json.loads(text, parse_constant=no_number, parse_float=finite)
    except ValueError:
        return text
    except RecursionError:
        raise typer.BadParameter("the JSON is nested too deeply", param_hint="--answer") from None


def _refuse_both(given: object, removed: bool, name: str) -> None:
    if given and removed:
        raise typer.BadParameter(f"not together with --no-{name}, which removes it", param_hint=f"--{name}")


def _present(client: AdminClient, model: str, if_match: int | None) -> tuple[dict[str, Any], int]:
    """Return the present route and the revision to change; no route for a model that has none that can be read."""
    try:
        route = client.get("models", model, "route")
    except ProblemReported as problem:
        if problem.kind != NO_ROUTE and not (problem.kind == NOT_READABLE and if_match is not None):
            raise
        return {}, if_match or 0
    return route, route["revision"] if if_match is None else if_match


def _share(text: str, default: float | None = None) -> tuple[str, float]:
    from gateway.commands.route_edit import parse_share

    try:
        return parse_share(text, default)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _show(document: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    from gateway.commands.tables import show_json

    (show_json if as_json else show)(document)
