"""``weir models``, ``weir profile`` and ``weir schema``: what concerns bundles on disk and needs no running gateway."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.printable import printable
from gateway.errors import WeirError

if TYPE_CHECKING:
    from gateway.commands.profiling import Profiled
    from gateway.commands.verification import Verdict

__all__ = ["register"]

ModelsFolder = Annotated[Path, typer.Argument(help="Folder of models: MODEL/VERSION/model.onnx", show_default=False)]
_DIGEST_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("models")(models)
    app.command("profile")(profile)
    app.command("schema")(schema)


def models(
    folder: ModelsFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")] = False,
    key: Annotated[
        list[Path] | None, typer.Option(help="Public key whose signatures count; repeatable", show_default=False)
    ] = None,
) -> None:
    """List the versions of a folder; check every hash, load each and run its golden rows. Exit 1 if one is refused."""
    from gateway.catalog.folders import ModelFolders
    from gateway.commands.verification import verify_models  # ONNX Runtime: not at the start of every command
    from gateway.settings import SigningSettings
    from gateway.signing.trust import trust_of

    trust = trust_of(SigningSettings(public_keys=tuple(key or ())))
    verdicts = list(verify_models(folder, trust))
    problems = ModelFolders(folder).problems()
    if as_json:
        typer.echo(json.dumps({"versions": [asdict(verdict) for verdict in verdicts], "problems": problems}, indent=2))
    else:
        _show(folder, verdicts, problems, are_signatures_checked=bool(trust.keys))
    if not verdicts or any(verdict.refused for verdict in verdicts):
        raise typer.Exit(1)


def profile(
    folder: ModelsFolder,
    model: Annotated[str, typer.Argument(help="Name of the model", show_default=False)],
    version: Annotated[str, typer.Argument(help="Its version", show_default=False)],
    table: Annotated[Path, typer.Option(help="CSV file; columns named as the features", show_default=False)],
    label: Annotated[
        str | None, typer.Option(help="Column with the true class, for estimates of accuracy", show_default=False)
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="Feature whose values are watched apart", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the profile; in the version's folder by default")
    ] = None,
) -> None:
    """Compute the reference profile of a version (reference.json) from a table of raw rows, in the order of traffic.

    From 5,000 rows on, evidence.json is written too: what the watch needs to keep a budget of false pages. With --out
    it lies beside the profile, under its name with .evidence.json at the end. Both are part of the version's digest:
    make them before the version is first served.
    """
    from gateway.catalog.bundle import BundleLimits
    from gateway.catalog.repository import Repository
    from gateway.commands.profiling import profile_bundle  # ONNX Runtime: not at the start of every command
    from gateway.commands.table import TableInvalid
    from monitors.reference import ProfileInvalid

    target = out or folder / model / version / "reference.json"
    if out and not out.parent.is_dir():
        typer.echo(f"weir: the folder {out.parent} does not exist", err=True)
        raise typer.Exit(1)
    try:
        bundle = Repository(folder, limits=BundleLimits()).read(model, version)
        profiled = profile_bundle(bundle, table, label=label, segment=segment)
        _write(target, profiled.profile.to_json())
        _write_evidence(out.with_suffix(".evidence.json") if out else target.with_name("evidence.json"), profiled)
    except (WeirError, TableInvalid, ProfileInvalid, OSError) as exc:
        typer.echo(f"weir: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc
    if profiled.ignored:
        typer.echo(f"no feature of {model}, left out: {printable(', '.join(profiled.ignored))}", err=True)
    typer.echo(f"{target}: {profiled.profile.rows} rows, {len(profiled.profile.features)} features")
    if segmentation := profiled.profile.segmentation:
        with_evidence = "" if profiled.evidence is None else f", {profiled.evidence_segments} of them with evidence"
        told = f"{len(segmentation.segments)} segments by {printable(segmentation.split.feature)}, other included"
        typer.echo(told + with_evidence)
    if performance := profiled.profile.output.performance:
        typer.echo(f"{performance.rows} rows have a label; accuracy on them {performance.accuracy:.4f}")
    if profiled.evidence is None:
        typer.echo("fewer than 5000 rows: no evidence.json, so drift only warns, by effect thresholds")


def schema() -> None:
    """Print the JSON Schema of model.yaml."""
    from gateway.catalog.schema import schema_text

    typer.echo(schema_text(), nl=False)


def _write_evidence(target: Path, profiled: Profiled) -> None:
    """Write the evidence model; without one, none of an earlier table may stay."""
    from monitors.evidence.document import write_model

    if profiled.evidence is None:
        target.unlink(missing_ok=True)
    else:
        _write(target, write_model(profiled.evidence))


def _write(target: Path, content: bytes) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(target)


def _show(folder: Path, verdicts: Sequence[Verdict], problems: Sequence[str], *, are_signatures_checked: bool) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    console = Console()
    shown = Table(Column("version", no_wrap=True), "digest", "inputs", "layout", "beside it", "state")
    if are_signatures_checked:
        shown.add_column("signed by")
    for verdict in verdicts:
        digest = verdict.digest.removeprefix("sha256:")[:_DIGEST_SHOWN]
        state = "[red]refused[/red]" if verdict.refused else "[green]ok[/green]"
        beside = ", ".join(verdict.beside)
        name, inputs = _as_text(f"{verdict.model}/{verdict.version}"), _as_text(_inputs(verdict))
        signer = (verdict.signed_by[:_DIGEST_SHOWN] or "nobody",) if are_signatures_checked else ()
        shown.add_row(name, digest, inputs, verdict.layout, beside, state, *signer)
    console.print(shown if verdicts else _as_text(f"no version found in {folder}"), soft_wrap=not verdicts)
    for verdict in verdicts:
        if verdict.refused:
            console.print(_as_text(f"refused: {verdict.model}/{verdict.version}: {verdict.refused}"))
    for problem in problems:
        console.print(_as_text(f"left aside: {problem}"))


def _inputs(verdict: Verdict) -> str:
    return ", ".join(verdict.inputs) if len(verdict.inputs) < 2 else f"{len(verdict.inputs)} inputs"


def _as_text(foreign: str) -> str:
    from rich.markup import escape

    return escape(printable(foreign))
