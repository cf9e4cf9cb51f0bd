"""The verbs of release checks: ``weir release check|submit|show``."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Model, TokenFile, Url, Version, client_of
from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported, reported

if TYPE_CHECKING:
    from gateway.commands.release.checking import Asked
    from gateway.commands.release.sides import Serving
    from gateway.release.document import ReleaseReport

__all__ = ["register"]

FAILED, NOT_CHECKED = 1, 2


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    release = typer.Typer(help="Check a version before it takes traffic.", no_args_is_help=True)
    for verb in (check, submit, show):
        release.command(verb.__name__)(verb)
    app.add_typer(release, name="release")


def check(
    model: Model,
    version: Version,
    holdout: Annotated[Path, typer.Option(help="CSV table of labelled rows", show_default=False)],
    label: Annotated[str, typer.Option(help="Its column with the true answer")] = "label",
    group: Annotated[
        list[str] | None, typer.Option(help="Column of slices and groups for fairness; repeatable")
    ] = None,
    models: Annotated[Path, typer.Option(envvar="WEIR_MODELS", help="Folder of models")] = Path("models"),
    policy: Annotated[
        Path | None, typer.Option(envvar="WEIR_GOVERNANCE__POLICY", help="Governance policy; built-in rules without")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version to compare with, in the same folder")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask this gateway which version serves, and compare with it")
    ] = None,
    first_release: Annotated[bool, typer.Option("--first-release", help="No version serves yet")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.json and report.html; release/MODEL/VERSION by default")
    ] = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report instead of a table")] = False,
) -> None:
    """Hold a version on disk to every release gate. Exits with 0 for a pass, 1 for a fail, 2 if it cannot be checked.

    Compares with the version that --against or --gateway names. Needs no gateway otherwise.
    """
    from gateway.errors import WeirError

    if sum((against is not None, gateway is not None, first_release)) > 1:
        raise typer.BadParameter("name one of --against, --gateway and --first-release")
    try:
        _require_packages()
        serving = _serving(model, against, gateway, first_release, token_file, ca_file)
        report = _checked(_asked(model, version, holdout, label, group or [], models, policy, serving))
        folder = out or Path("release") / model / version
        _write(folder, report)
    except ProblemReported as problem:
        raise ProblemReported(str(problem), faults=problem.faults, status=NOT_CHECKED) from problem
    except (WeirError, OSError) as error:
        raise reported(error, status=NOT_CHECKED) from error
    _show(report, folder, as_json)
    if report.outcome == "fail":
        raise typer.Exit(FAILED)


def submit(
    report: Annotated[Path, typer.Argument(help="report.json, or the folder it lies in")],
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand a report over to a gateway, which keeps what it says of the version's bytes."""
    from gateway.commands.release.tables import show_record
    from gateway.commands.tables import show_json
    from gateway.release.document import MOST_REPORT_BYTES, decode_report

    path = report / "report.json" if report.is_dir() else report
    with path.open("rb") as file:
        data = file.read(MOST_REPORT_BYTES + 1)
    if len(data) > MOST_REPORT_BYTES:
        raise ProblemReported(f"{path} has more than {MOST_REPORT_BYTES} bytes: no report")
    told = decode_report(data, source=str(path))
    client = client_of(url, token_file, ca_file)
    record = client.ask("models", told.model, "versions", told.version, "release", body=data)
    (show_json if as_json else show_record)(record)


def show(
    model: Model,
    version: Version,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a gateway keeps of a version's release report."""
    from gateway.commands.release.tables import show_record
    from gateway.commands.tables import show_json

    record = client_of(url, token_file, ca_file).get("models", model, "versions", version, "release")
    (show_json if as_json else show_record)(record)


def _require_packages() -> None:
    from gateway.extras import RELEASE

    if missing := RELEASE.missing():
        raise ProblemReported(f"release checks need {' and '.join(missing)}: install '{RELEASE.name}'")


def _serving(
    model: str,
    against: str | None,
    gateway: str | None,
    first_release: bool,
    token_file: Path | None,
    ca_file: Path | None,
) -> Serving | None:
    from gateway.commands.release.sides import Serving, serving_version

    if gateway is not None:
        return serving_version(client_of(gateway, token_file, ca_file), model)
    return Serving(against) if against is not None or first_release else None


def _asked(
    model: str,
    version: str,
    holdout: Path,
    label: str,
    groups: list[str],
    models: Path,
    policy: Path | None,
    serving: Serving | None,
) -> Asked:
    from gateway.commands.release.checking import Asked
    from gateway.governance.policy import Policy, read_policy

    return Asked(
        models=models,
        model=model,
        version=version,
        holdout=holdout,
        label=label,
        groups=groups,
        policy=Policy() if policy is None else read_policy(policy),
        serving=serving,
    )


def _checked(asked: Asked) -> ReleaseReport:
    from gateway.commands.release.bars import Bars
    from gateway.commands.release.checking import check_release
    from gateway.commands.table import TableInvalid
    from gateway.release.examination import CheckImpossible

    try:
        with Bars.shown() as bars:
            return check_release(asked, bars)
    except (TableInvalid, CheckImpossible) as exc:
        raise ProblemReported(str(exc)) from exc


def _write(folder: Path, report: ReleaseReport) -> None:
    """Write both files, each whole or not at all."""
    from gateway.commands.release.page import render_release
    from gateway.release.document import encode_report

    data = encode_report(report)
    page = render_release(report, hashlib.sha256(data).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("report.json", data), ("report.html", page.encode())):
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_bytes(content)
        draft.replace(folder / name)


def _show(report: ReleaseReport, folder: Path, as_json: bool) -> None:
    from gateway.commands.release.tables import show_report
    from gateway.release.document import encode_report

    if as_json:
        typer.echo(encode_report(report).decode())
        return
    show_report(report)
    typer.echo(printable(f"wrote {folder / 'report.json'} and {folder / 'report.html'}"))
