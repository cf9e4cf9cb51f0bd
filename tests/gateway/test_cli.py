"""The command: a verb alone brings its own package, and says what all of them together say."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import build_app


def verbs_of(app: typer.Typer) -> set[str]:
    commands = {str(one.name or (one.callback and one.callback.__name__)) for one in app.registered_commands}
    return commands | {str(group.name) for group in app.registered_groups}


ALL = sorted(verbs_of(build_app()))


def said(app: typer.Typer, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words), prog_name="weir", env={"COLUMNS": "100", "TERM": "dumb"})
    return result.exit_code, result.output


@pytest.mark.parametrize("verb", ALL)
def test_a_verb_alone_is_used_as_among_all_of_them(verb: str) -> None:
    alone = build_app(verb)
    assert verb in verbs_of(alone)
    assert len(verbs_of(alone)) < len(ALL) / 2
    assert said(alone, verb, "--help") == said(build_app(), verb, "--help")
    assert said(alone, verb, "--no-such-option") == said(build_app(), verb, "--no-such-option")


@pytest.mark.parametrize("word", ["", "--help", "no-such-verb", "rout"])
def test_any_other_word_brings_all_of_them(word: str) -> None:
    assert sorted(verbs_of(build_app(word))) == ALL
    assert said(build_app(word), word) == said(build_app(), word)
