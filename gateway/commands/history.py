"""`weir history`: which version served which share when, read from the audit log without a gateway."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.admin import AsJson
from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.audit.history import History

__all__ = ["Config", "State", "history_in", "register"]

State = Annotated[str | None, typer.Option(help="State file or Redis address; else that of the settings.")]
Config = Annotated[Path | None, typer.Option(envvar="WEIR_CONFIG", help="Settings file (weir.yaml).")]


def register(app: typer.Typer) -> None:
    """Add the verb to the application."""
    app.command("history")(history)


def history(
    model: Annotated[str, typer.Argument(help="The model.")],
    at: Annotated[
        str, typer.Option(metavar="TIME", help="Only what was in force then; ISO 8601, UTC where it names no zone.")
    ] = "",
    state: State = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show which version served which share of a model, from when until when, by whom and why; newest last."""
    from gateway.audit.history import in_force
    from gateway.commands.history_tables import interval_view, show_history, show_moment, show_notes
    from gateway.commands.tables import show_json

    moment = _moment(at)
    found = history_in(model, state, config)
    if not found.intervals:
        more = f" ({'; '.join(found.notes)})" if found.notes else ""
        raise ProblemReported(f"the audit log has no route of model {model!r}{more}")
    if moment is None:
        if as_json:
            intervals = [*map(interval_view, found.intervals)]
            show_json({"model": model, "intervals": intervals, "signed_by": found.signers, "notes": found.notes})
        else:
            show_history(model, found)
        return
    interval = in_force(found, moment)
    if interval is None:
        show_notes(found, err=True)
        first = found.intervals[0].begin
        raise ProblemReported(
            f"the audit log knows of model {model!r} since {first} only, which is after {_told(moment)}"
        )
    if as_json:
        told = {"interval": interval_view(interval), "signed_by": found.signers, "notes": found.notes}
        show_json({"model": model, "at": _told(moment), **told})
    else:
        zone = "" if _names_zone(at) else " (no zone was given: taken as UTC)"
        show_moment(model, _told(moment) + zone, interval, found.signers)
        show_notes(found)


def history_in(model: str, state: str | None, config: Path | None) -> History:
    """Return the history of a model from the state store that is meant.

    Raises
    ------
    StoreUnavailable
        The store does not answer, or is none.
    DocumentInvalid
        The settings, or the file with the password of Redis, cannot be read.
    """
    from gateway.audit.reading import read_history
    from gateway.codec.configuration import load_settings
    from gateway.state.audit_source import open_audit

    # As a setting, so that an address given here is held to what one of the settings is.
    settings = load_settings(config, os.environ if state is None else {**os.environ, "WEIR_STATE": state})
    source = open_audit(settings, os.environ)
    try:
        return read_history(model, source.entries())
    finally:
        source.close()


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"not a time such as 2026-01-31T12:00:00Z: {text!r}", param_hint="--at") from error


def _names_zone(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def _told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
