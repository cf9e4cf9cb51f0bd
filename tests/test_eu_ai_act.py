"""The page on record-keeping names nothing that Weir does not have."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from gateway.catalog.manifest import Manifest
from gateway.cli import build_app
from gateway.metrics.catalogue import CATALOGUE
from gateway.settings import Settings
from gateway.state.store import AuditRecord
from tests.test_docs import FENCE, commands, settings

SPAN = re.compile(r"`([^`]+)`")


def members(kind: Any, path: str = "") -> set[str]:
    """Return the dotted path of every member of a document, those of lists' items included."""
    found: set[str] = set()
    for declared, hint in get_type_hints(kind).items():
        here = f"{path}.{declared}" if path else declared
        found.add(here)
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner):
                found |= members(inner, here)
    return found


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "eu-ai-act.md").read_text(encoding="utf-8")


def test_every_command_and_field_that_the_page_names_exists(page: str, repo_root: Path) -> None:
    verbs = dict(commands(typer.main.get_command(build_app())))
    groups = {" ".join(name.split()[:n]) for name in verbs for n in (2, 3)}
    flags = {flag for command in verbs.values() for option in command.params for flag in option.opts}
    log = (repo_root / "docs" / "prediction-log.md").read_text(encoding="utf-8")
    columns = {
        name for line in log.splitlines() if line.startswith("| `") for name in SPAN.findall(line.split(" | ")[0])
    }
    known = {
        *members(Manifest),
        *(".".join(path) for path, _ in settings(Settings)),
        *(metric.name for metric in CATALOGUE),
        *(declared.name for declared in fields(AuditRecord)),
        *columns,
        *flags,
        *groups,
    }
    named = set(SPAN.findall(FENCE.sub("", page)))
    assert len(named) > 40
    assert named - known == set()


def test_every_article_says_what_answers_it_or_that_nothing_does(page: str) -> None:
    rows = [line.strip("|").split("|") for line in page.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 20
    for article, asked, answered, missing in rows:
        assert article.strip()
        assert asked.strip()
        assert answered.strip() or missing.strip(), article
