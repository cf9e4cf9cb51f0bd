"""``weir monitor``: what the monitors would have said, without a gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.engine.version import ServableVersion
    from monitors.evidence.model import EvidenceModel
    from monitors.records import Variant

__all__ = ["register"]

BUDGET, TICKS = "Budget", "Ticks"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    monitor = typer.Typer(help="Ask the monitors, without a gateway.", no_args_is_help=True)
    monitor.callback()(_group)
    monitor.command("replay")(replay_file)
    app.add_typer(monitor, name="monitor")


def _group() -> None:
    """Ask the monitors, without a gateway."""


def replay_file(
    file: Annotated[
        Path, typer.Argument(help="Table (CSV, Parquet), or prediction log: its folder or an exported file")
    ],
    model: Annotated[Path, typer.Option(help="Folder of the version, MODEL/VERSION", show_default=False)],
    reference: Annotated[
        Path | None, typer.Option(help="Table or log of normal rows to compare with; else the bundle's")
    ] = None,
    pages_per_week: Annotated[
        float | None, typer.Option(help="False pages allowed a week; 1 if nothing is said", rich_help_panel=BUDGET)
    ] = None,
    promise: Annotated[
        Literal["mean", "p95", "none95"], typer.Option(help="How the budget is meant", rich_help_panel=BUDGET)
    ] = "mean",
    rows_between_false_pages: Annotated[
        float | None, typer.Option(help="Budget in rows, in place of weeks", rich_help_panel=BUDGET)
    ] = None,
    rows_per_second: Annotated[
        float | None, typer.Option(help="Traffic that a table without times stands for", rich_help_panel=BUDGET)
    ] = None,
    tick_rows: Annotated[int | None, typer.Option(help="Rows of a summary, at least", rich_help_panel=TICKS)] = None,
    tick_seconds: Annotated[float | None, typer.Option(help="Seconds of a tick", rich_help_panel=TICKS)] = None,
    time_column: Annotated[str, typer.Option(help="Column of a table that holds the time", rich_help_panel=TICKS)] = "",
    variant: Annotated[
        Literal["stable", "canary", "shadow", "pinned"], typer.Option(help="Whose answers, in a log")
    ] = "stable",
    picture: Annotated[Path | None, typer.Option(help="Draw evidence and pages into this file (SVG)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")] = False,
) -> None:
    """Say what would have paged or warned, and when: backtest a budget on a table or a prediction log.

    Rows go through the evidence that watches live traffic. A table is answered by the model first.
    """
    from gateway.commands.replay.picture import draw_replay
    from gateway.commands.replay.plan import Plan, Wishes
    from gateway.commands.replay.report import replay_document, show_replay
    from gateway.commands.replay.run import replay
    from gateway.commands.replay.source import blocks_of, is_log, load_folder
    from gateway.commands.table import TableInvalid
    from gateway.commands.tables import show_json
    from monitors.importance import Importance

    wishes = Wishes(
        pages_per_week=pages_per_week,
        promise=promise,
        rows_between_false_pages=rows_between_false_pages,
        rows_per_second=rows_per_second,
        tick_rows=tick_rows,
        tick_seconds=tick_seconds,
    )
    if picture and not picture.absolute().parent.is_dir():
        raise ProblemReported(f"the folder {picture.parent} does not exist")
    if time_column and is_log(file):
        raise ProblemReported(f"{file} is a prediction log, which has its own times: leave out --time-column")
    try:
        plan = Plan.of(wishes, has_times=is_log(file) or bool(time_column))
        version = load_folder(model)
        fitted = _evidence_model(version, reference, variant)
        blocks = blocks_of(file, version, variant, time_column)
        importance = Importance.of_version(version.info).by_name
        found = replay(blocks, fitted, plan, draws=picture is not None, importance=importance)
    except (TableInvalid, ValueError) as exc:
        raise ProblemReported(str(exc)) from exc
    document = replay_document(found, plan, {"file": file.name, "model": version.model, "version": version.version})
    if picture and found.trace:
        title = f"{file.name} through {version.model} version {version.version}: evidence and pages"
        picture.write_text(draw_replay(title, found.trace, found.monitor.rows_seen, found.incidents.listed))
    if as_json:
        show_json(document)
    else:
        show_replay(document)


def _evidence_model(version: ServableVersion, reference: Path | None, variant: Variant) -> EvidenceModel:
    """Return the evidence model of a reference table or log; without one, that of the bundle."""
    from gateway.commands.replay.block import joined
    from gateway.commands.replay.source import blocks_of
    from monitors.evidence.model import EvidenceModel
    from monitors.live.book import fitted_of
    from monitors.reference import segment_of

    if reference is None:
        fitted = fitted_of(version.info)
        if fitted.model is None:
            raise ProblemReported(
                f"{fitted.why}: run weir profile, or give a table or log of normal rows as --reference"
            )
        return fitted.model
    rows = joined(list(blocks_of(reference, version, variant)))
    return EvidenceModel.fit(rows, version.info.features, version.info.output, segment=segment_of(version.info))
