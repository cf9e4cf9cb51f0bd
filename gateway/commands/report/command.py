"""``weir report``: one model over a period, as a file to mail."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.admin import (
    LOCAL,
    AsJson,
    CaFile,
    Model,
    TokenFile,
    Url,
    client_of,
)

__all__ = ["period_of", "register", "report"]

_DAYS = 7.0


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("report")(report)


def report(
    model: Model,
    days: Annotated[
        float,
        typer.Option(min=0.001, max=3_650, help="Days up to the end; not with --from."),
    ] = _DAYS,
    begin: Annotated[
        str | None,
        typer.Option("--from", help="Begin of the period, in RFC 3339 or as a date."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", help="End of the period, itself left out; now by default."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; else standard output.")] = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a model's traffic, drift, incidents, changes and governance over a period, as one HTML file."""
    from gateway.commands.report.gathering import gather
    from gateway.commands.report.page import render_report

    now = datetime.now(UTC)
    period = period_of(begin, end, days, now)
    found = gather(client_of(url, token_file, ca_file), model, *period, now)
    text = json.dumps(_plain(asdict(found)), indent=2) + "\n" if as_json else render_report(found)
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {out}", err=True)


def period_of(begin: str | None, end: str | None, days: float, now: datetime) -> tuple[datetime, datetime]:
    """Return the period that the options name.

    >>> period_of("2026-11-01", "2026-11-08T00:00:00+01:00", 7, datetime(2026, 11, 9, tzinfo=UTC))[1].isoformat()
    '2026-11-07T23:00:00+00:00'

    Raises
    ------
    typer.BadParameter
        A time cannot be read, or the period is empty.
    """
    last = _time(end, "--to") if end else now
    first = _time(begin, "--from") if begin else last - timedelta(days=days)
    if first >= last:
        raise typer.BadParameter(
            f"the period ends at {last.isoformat()}, before it begins",
            param_hint="--from",
        )
    return first, last


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date or time", param_hint=option) from error
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: times as RFC 3339."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value
