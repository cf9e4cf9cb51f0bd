"""The verbs of the prediction log: they read its folder, and need no gateway."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from gateway.commands.history import State
from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported, require_extra
from gateway.extras import PARQUET

if TYPE_CHECKING:
    from gateway.prediction_log.reading import Selection

__all__ = ["register"]

FORMATS = {".csv": "csv", ".parquet": "parquet"}

Folder = Annotated[Path | None, typer.Option("--path", help="Folder of the log; else that of the settings.")]
Config = Annotated[Path | None, typer.Option(envvar="WEIR_CONFIG", help="Settings file (weir.yaml).")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    log = typer.Typer(help="Read the prediction log.", no_args_is_help=True)
    log.command("show")(show_request)
    log.command("export")(export)
    app.add_typer(log, name="log")


def show_request(
    request_id: Annotated[str, typer.Argument(help="The x-request-id of an answer.")],
    path: Folder = None,
    state: State = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records instead of tables.")] = False,
) -> None:
    """Show what is logged of one request, and who had put its route into force."""
    from gateway.commands.log_routes import routes_of, show_routes
    from gateway.commands.log_tables import show_records
    from gateway.commands.tables import show_json
    from gateway.prediction_log.reading import LogRefused, find_request

    folder = _folder(path, config)
    request_id = request_id.encode("utf-8", "replace").decode()  # bytes of a command line may be no text
    try:
        records = find_request(folder, request_id)
    except LogRefused as refused:
        raise ProblemReported(str(refused)) from refused
    if not records:
        raise ProblemReported(f"the log in {folder} has no record of request {request_id!r}")
    routes = routes_of(records, state, config)
    if as_json:
        show_json({"request_id": request_id, "records": records, "routes": [route.view() for route in routes]})
    else:
        show_records(request_id, records)
        show_routes(routes)


def export(
    model: Annotated[str, typer.Option(help="Only this model.")] = "",
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="From this time on; ISO 8601, UTC.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Before this time.")] = "",
    format_: Annotated[
        Literal["jsonl", "csv", "parquet"] | None,
        typer.Option("--format", help="Else by the ending of --out, .csv or .parquet; JSON Lines for all others."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, which must not exist; standard output else.")] = None,
    path: Folder = None,
    config: Config = None,
) -> None:
    """Write records as JSON Lines, CSV or Parquet, in the order in which they were logged."""
    from gateway.prediction_log.reading import LogRefused, Selection

    selection = Selection(model, _time(begin, "--from"), _time(end, "--to"))
    folder = _folder(path, config)
    write = _writer(format_ or FORMATS.get(out.suffix if out else "", "jsonl"), out)
    try:
        with _target(out) as target:
            written = write(folder, selection, target)
    except LogRefused as refused:
        raise ProblemReported(str(refused)) from refused
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if not written:
        typer.echo(f"weir: {printable(_nothing(folder, selection))}", err=True)


def _nothing(folder: Path, selection: Selection) -> str:
    """Return what was looked for in vain."""
    asked = (("of the model", selection.model), ("from", selection.begin), ("before", selection.end))
    chosen = " ".join(f"{word} {text}" for word, text in asked if text)
    hint = ": look at --model, --from and --to, which is in UTC" if chosen else ""
    return f"the log in {folder} has no record {chosen}".rstrip() + hint


def _writer(format_: str, out: Path | None) -> Callable[[Path, Selection, BinaryIO], int]:
    """Return what writes records in a format, and returns how many they were."""
    from gateway.prediction_log.export import write_csv, write_lines

    if format_ != "parquet":
        return write_csv if format_ == "csv" else write_lines
    if out is None:
        raise ProblemReported("a Parquet file is not for standard output: give a file as --out")
    require_extra(PARQUET, "exporting to Parquet")
    from gateway.prediction_log.flat import write_flat

    return write_flat


def _folder(path: Path | None, config: Path | None) -> Path:
    """Return the folder of the log that is meant."""
    from gateway.codec.configuration import load_settings

    folder = path or load_settings(config, os.environ).prediction_log.path
    if folder is None:
        raise ProblemReported("no prediction log is configured: give its folder as --path or prediction_log.path")
    if not folder.is_dir():
        raise ProblemReported(f"the folder {folder} does not exist")
    return folder


def _time(text: str, flag: str) -> str:
    """Return a time as the records have it."""
    from gateway.prediction_log.lines import utc_text

    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        return utc_text((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"not a time such as 2026-01-31T12:00:00Z: {text!r}", param_hint=flag) from error


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Give where to write; a new file is readable by its owner only, as the log is, and goes if it is not finished."""
    if out is None:
        yield sys.stdout.buffer
        return
    with open(out, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        try:
            yield file
        except BaseException:
            out.unlink(missing_ok=True)
            raise
