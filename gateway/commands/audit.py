"""The verbs of the audit log: shown by a gateway; examined, exported and signed without one."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, TokenFile, Url, client_of
from gateway.commands.problem import ProblemReported, reported
from gateway.errors import WeirError

if TYPE_CHECKING:
    from gateway.audit.checkpoint import Checkpoint
    from gateway.audit.examination import Examination
    from gateway.audit.stored import AuditSource

__all__ = ["register"]

State = Annotated[str | None, typer.Option(help="State file or Redis address; else that of the settings.")]
Config = Annotated[Path | None, typer.Option(envvar="WEIR_CONFIG", help="Settings file (weir.yaml).")]
Out = Annotated[Path | None, typer.Option(help="File to write, which must not exist; standard output else.")]
ORIGIN = "weir"
NOT_EXAMINED = 3


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    group = typer.Typer(help="Show who changed what, when and why; or check, sign and export it.")
    group.callback(invoke_without_command=True)(audit)
    for verb in (verify, checkpoint, export, key):
        group.command(verb.__name__)(verb)
    app.add_typer(group, name="audit")


def audit(
    context: typer.Context,
    last: Annotated[
        int | None, typer.Option(min=1, max=1000, help="The newest records; not with --after or --limit.")
    ] = None,
    after: Annotated[int | None, typer.Option(help="Only records above this sequence; 0 by default.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many records; 100 by default.")] = None,
    resource: Annotated[str | None, typer.Option(help="Only this resource, such as route/fraud.")] = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when and why, oldest first."""
    from gateway.commands.tables import show_audit, show_json

    if context.invoked_subcommand is not None:
        return
    if last is not None and (after is not None or limit is not None):
        raise typer.BadParameter("the newest records need neither --after nor --limit", param_hint="--last")
    document = client_of(url, token_file, ca_file).get("audit", last=last, after=after, limit=limit, resource=resource)
    (show_json if as_json else show_audit)(document)


def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without one, the state store is examined.")] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere; repeatable.")
    ] = None,
    verifier: Annotated[
        str | None, typer.Option(metavar="KEY", help="The public key that signed, as weir audit key prints it.")
    ] = None,
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Examine every record: was any edited, removed or reordered, and is it what a checkpoint was signed over?

    Exits with 0 where nothing is found, with 1 where something is, with 3 where it could not be looked at.
    """
    from gateway.audit.examination import examine
    from gateway.audit.export import examine_export
    from gateway.commands.tables import show_json

    if file is not None and state is not None:
        raise typer.BadParameter(
            "an export is examined without a state store; leave one of them out", param_hint="--state"
        )
    if verifier is not None and not checkpoint:
        raise typer.BadParameter("only checkpoints are signed; name one with --checkpoint", param_hint="--verifier")
    try:
        checkpoints = _checkpoints(checkpoint or [], verifier)
        if file is not None:
            with file.open("rb") as stream:
                found = examine_export(stream, checkpoints)
        else:
            with _source(state, config) as source:
                found = examine(source.entries(), checkpoints)
                for fault in source.faults():
                    found.find(fault)
    except (WeirError, OSError) as error:
        raise reported(error, status=NOT_EXAMINED) from error
    show_json(_document(found)) if as_json else _tell(found)
    if found.total:
        raise typer.Exit(1)


def checkpoint(
    key: Annotated[Path, typer.Option(help="Private key, as weir audit key makes it.")],
    out: Out = None,
    origin: Annotated[str, typer.Option(help="Name of this log in its checkpoints and of the key.")] = ORIGIN,
    serving_user: Annotated[
        str | None, typer.Option(help="User that runs the gateway; the owner of the state file by default.")
    ] = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Sign how long the log is and what it holds; keep the result where the gateway cannot write."""
    from datetime import UTC, datetime

    from gateway.audit.checkpoint import Checkpoint, sign_checkpoint
    from gateway.audit.examination import examine
    from gateway.audit.signing_key import read_key, standing_of

    _require_origin(origin)
    signing = read_key(key, origin)
    with _source(state, config) as source:
        found = examine(source.entries())
        for fault in source.faults():
            found.find(fault)
        uid = source.serving_uid() if serving_user is None else _uid(serving_user)
    _require_whole(found, "signed")
    standing = standing_of(key, uid)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    note = sign_checkpoint(Checkpoint(origin, found.size, found.root, now, standing), signing)
    if standing == "shared":
        typer.echo("weir: the serving user can read this key, and could forge checkpoints; they say so", err=True)
    _write(out, note.encode())


def export(
    out: Out = None,
    resource: Annotated[str | None, typer.Option(help="Only this resource, such as route/fraud.")] = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Write the log as JSON Lines, each record with the proof that it is part of the whole."""
    from gateway.audit.examination import examine
    from gateway.audit.export import export_lines

    with _source(state, config) as source:
        entries = list(source.entries())
    _require_whole(examine(entries), "exported with proofs")
    if resource is not None and not any(entry.resource == resource for entry in entries):
        raise ProblemReported(f"no record is of the resource {resource!r}; weir audit names those that there are")
    _write(out, b"".join(line + b"\n" for line in export_lines(entries, resource)))


def key(
    out: Annotated[Path, typer.Argument(help="File for the private key; must not exist.")],
    origin: Annotated[str, typer.Option(help="Name that the key signs under.")] = ORIGIN,
) -> None:
    """Make a key for checkpoints, as a user that does not run the gateway, and print the public one."""
    from gateway.audit.signing_key import make_key, read_key

    _require_origin(origin)
    make_key(out)
    typer.echo(str(read_key(out, origin).verifier))


def _require_origin(origin: str) -> None:
    if not origin or len(origin) > 64 or not origin.isprintable() or set(origin) & set("+ "):
        raise typer.BadParameter("1 to 64 visible characters without spaces and plus signs", param_hint="--origin")


def _checkpoints(paths: list[Path], verifier: str | None) -> list[Checkpoint]:
    from gateway.audit.checkpoint import NOTE_BYTES, open_checkpoint
    from gateway.audit.signing_key import read_verifier

    trusted = None if verifier is None else read_verifier(verifier, "--verifier")
    found = []
    for path in paths:
        with path.open("rb") as file:
            found.append(open_checkpoint(file.read(NOTE_BYTES + 1), trusted, str(path)))
    return found


@contextmanager
def _source(state: str | None, config: Path | None) -> Iterator[AuditSource]:
    from gateway.codec.configuration import load_settings
    from gateway.state.audit_source import open_audit

    # As a setting, so that an address given here is held to what one of the settings is.
    settings = load_settings(config, os.environ if state is None else {**os.environ, "WEIR_STATE": state})
    source = open_audit(settings, os.environ)
    try:
        yield source
    finally:
        source.close()


def _require_whole(found: Examination, what: str) -> None:
    if found.total:
        more = "" if found.total == 1 else f", and {found.total - 1} more"
        raise ProblemReported(f"the audit log is not {what}: {found.findings[0]}{more}; see weir audit verify")


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise typer.BadParameter(f"no user {name!r} on this host", param_hint="--serving-user") from error


def _document(found: Examination) -> dict[str, Any]:
    return {
        "is_whole": not found.total,
        "records": found.size,
        "head": found.head,
        "root": found.root.hex(),
        "findings": found.findings,
        "total_findings": found.total,
        "limits": found.limits,
    }


def _tell(found: Examination) -> None:
    from gateway.commands.printable import printable

    verdict = f"{found.total} findings" if found.total else "nothing was edited, removed or reordered"
    typer.echo(f"{found.size} records, root {found.root.hex()}: {verdict}")
    for line in found.findings:
        typer.echo(f"  FOUND {printable(line)}")
    if found.total > len(found.findings):
        typer.echo(f"  and {found.total - len(found.findings)} more")
    for line in found.limits:
        typer.echo(f"  note: {printable(line)}")


def _write(out: Path | None, data: bytes) -> None:
    if out is None:
        typer.get_binary_stream("stdout").write(data)
        return
    with open(out, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(data)
