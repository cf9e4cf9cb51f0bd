"""``weir card`` and ``weir bom``: what a version says of itself, for people and for inventories."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.problem import ProblemReported

if TYPE_CHECKING:
    from gateway.catalog.bundle import Bundle
    from gateway.release.document import ReleaseReport

__all__ = ["register"]


class CardFormat(StrEnum):
    """How a card is written."""

    MD = "md"
    HTML = "html"


Model = Annotated[str, typer.Argument(help="Name of the model", show_default=False)]
Version = Annotated[str, typer.Argument(help="Its version", show_default=False)]
Models = Annotated[Path | None, typer.Option(help="Folder of models; else that of the settings.")]
Report = Annotated[Path | None, typer.Option(help="Release report of the version, as weir release check writes it.")]
Out = Annotated[Path | None, typer.Option(help="File to write; standard output else.")]
Config = Annotated[Path | None, typer.Option(envvar="WEIR_CONFIG", help="Settings file (weir.yaml).")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    app.command("card")(card)
    app.command("bom")(bom)


def card(
    model: Model,
    version: Version,
    format_: Annotated[CardFormat, typer.Option("--format", help="Markdown with front matter, or one HTML page.")] = (
        CardFormat.MD
    ),
    report: Report = None,
    out: Out = None,
    models: Models = None,
    config: Config = None,
) -> None:
    """Write the model card of a version, from its manifest, its files and its release report."""
    from gateway.cards.facts import facts_of
    from gateway.cards.markdown import markdown_card
    from gateway.cards.page import html_card

    bundle, checked = _read(model, version, models, report, config)
    facts = facts_of(bundle, checked)
    _write(out, html_card(facts) if format_ is CardFormat.HTML else markdown_card(bundle, facts))


def bom(
    model: Model,
    version: Version,
    report: Report = None,
    out: Out = None,
    models: Models = None,
    config: Config = None,
) -> None:
    """Write the bill of materials of a version: CycloneDX 1.6 in JSON, with a model card."""
    from importlib.metadata import version as version_of

    from gateway.cards.bom import bill_of_materials

    bundle, checked = _read(model, version, models, report, config)
    document = bill_of_materials(bundle, version_of("weir"), checked)
    _write(out, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _read(
    model: str, version: str, models: Path | None, report: Path | None, config: Path | None
) -> tuple[Bundle, ReleaseReport | None]:
    from gateway.catalog.bundle import BundleLimits
    from gateway.catalog.repository import Repository
    from gateway.codec.configuration import load_settings
    from gateway.signing.trust import trust_of

    settings = load_settings(config, os.environ)
    limits = BundleLimits(external_data_bytes=settings.serving.external_data_bytes)
    repository = Repository(models or settings.models, limits=limits, trust=trust_of(settings.signing))
    bundle = repository.read(model, version)
    checked = None if report is None else _report(report)
    if checked is not None and checked.digest != bundle.digest:
        raise ProblemReported(
            f"{report} is about the digest {checked.digest}, and {model} {version} has {bundle.digest}"
        )
    return bundle, checked


def _report(path: Path) -> ReleaseReport:
    from gateway.release.document import MOST_REPORT_BYTES, decode_report

    with path.open("rb") as file:
        data = file.read(MOST_REPORT_BYTES + 1)
    if len(data) > MOST_REPORT_BYTES:
        raise ProblemReported(f"{path} has more than {MOST_REPORT_BYTES} bytes, which no release report has")
    return decode_report(data, source=str(path))


def _write(out: Path | None, text: str) -> None:
    if out is None:
        typer.get_binary_stream("stdout").write(text.encode())
        return
    out.write_bytes(text.encode())
