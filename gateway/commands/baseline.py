"""The verbs of baselines: ``weir baseline show|accept|reset``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Model, TokenFile, Url, client_of
from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.commands.admin_client import AdminClient
    from gateway.commands.replay.fitting import Offered

__all__ = ["register"]

LEAST_ROWS = 6_667
"""Fewer promise nothing: see :func:`monitors.calibration.calibrate`."""

NONE_YET = "urn:weir:problem:resource-unknown"


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    baseline = typer.Typer(help="Say which traffic of a model is normal.", no_args_is_help=True)
    for verb in (show, accept, reset):
        baseline.command(verb.__name__)(verb)
    app.add_typer(baseline, name="baseline")


def show(
    model: Model, url: Url = LOCAL, token_file: TokenFile = None, ca_file: CaFile = None, as_json: AsJson = False
) -> None:
    """Show which traffic drift of a model is measured against."""
    _show(client_of(url, token_file, ca_file).get("models", model, "baseline"), as_json)


def accept(
    model: Model,
    file: Annotated[
        Path, typer.Argument(help="Prediction log (folder or exported file) or table (CSV, Parquet) of normal rows.")
    ],
    folder: Annotated[Path, typer.Option(help="Folder of the version that answered, MODEL/VERSION.")],
    reason: Annotated[str, typer.Option(help="Why these rows are normal; goes into the audit log.")],
    variant: Annotated[
        Literal["stable", "canary", "shadow", "pinned"], typer.Option(help="Whose answers, in a log.")
    ] = "stable",
    rows: Annotated[int, typer.Option(min=LEAST_ROWS, help="So many of the newest rows.")] = 50_000,
    pages_per_week: Annotated[float, typer.Option(help="The budget that replays must keep.")] = 1.0,
    if_match: Annotated[int | None, typer.Option(help="Revision to replace; the present one when left out.")] = None,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Accept rows as normal: fit on them, replay them crosswise until the budget holds, hand them to the gateway.

    Takes a minute or more: weeks are replayed. Exits with 1 where the rows promise nothing.
    """
    from gateway.baseline.document import LONGEST_REASON
    from gateway.commands.replay.fitting import offer_baseline
    from gateway.commands.table import TableInvalid

    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise ProblemReported(f"--reason is 1 to {LONGEST_REASON} characters that say why these rows are normal")
    client = client_of(url, token_file, ca_file)
    revision = _present(client, model) if if_match is None else if_match
    try:
        offered = offer_baseline(file, folder, variant, rows, pages_per_week, model=model)
    except (TableInvalid, ValueError) as exc:
        raise ProblemReported(str(exc)) from exc
    _show(client.put("models", model, "baseline", body=_body(offered, file, reason), revision=revision), as_json)


def reset(
    model: Model,
    reason: Annotated[str, typer.Option(help="Why; goes into the audit log.")] = "",
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Take the baseline away: drift is measured against the table of the version again, and only warns."""
    before = client_of(url, token_file, ca_file).post("models", model, "baseline", "reset", reason=reason)
    _show(before, as_json, fate=", taken away")


def _present(client: AdminClient, model: str) -> int:
    """Return the revision of the present baseline, 0 without one."""
    try:
        return int(client.get("models", model, "baseline")["revision"])
    except ProblemReported as problem:
        if problem.kind == NONE_YET:
            return 0
        raise


def _body(offered: Offered, file: Path, reason: str) -> dict[str, Any]:
    return {
        "version": offered.version,
        "digest": offered.digest,
        "source": file.name,
        "begin": offered.begin,
        "end": offered.end,
        "rows": offered.rows,
        "factor": offered.factor,
        "pages_per_week": offered.pages_per_week,
        "predicted": offered.predicted,
        "upper": offered.upper,
        "evidence": offered.evidence,
        "reason": reason,
    }


def _show(baseline: Any, as_json: bool, *, fate: str = "") -> None:
    from gateway.commands.tables import show_baseline, show_json

    if as_json:
        show_json(baseline)
    else:
        show_baseline(baseline, fate=fate)
