"""``weir rollout outcomes``: what turned out to be right, from a file of JSON Lines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.admin import LOCAL, AsJson, CaFile, Model, TokenFile, Url, client_of
from gateway.commands.problem import ProblemReported

__all__ = ["outcomes"]

_BATCH = 100  # of the longest names that there may be, 64 KiB
_LONGEST_LINE = 4_096

OutcomeFile = Annotated[
    Path,
    typer.Argument(help='JSON Lines such as {"request_id": "r-7", "outcome": "spam"}; - reads standard input.'),
]


def outcomes(
    model: Model,
    file: OutcomeFile,
    url: Url = LOCAL,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Report what turned out to be right for requests of a rollout; evidence for its gate `outcomes`."""
    from gateway.commands.tables import line, show_json

    client, total = client_of(url, token_file, ca_file), Counter[str](received=0, joined=0, unknown=0, unusable=0)
    documents = _read(file)
    while part := list(islice(documents, _BATCH)):
        taken = client.ask("rollouts", model, "outcomes", body={"outcomes": part})
        total.update({name: taken[name] for name in total})
    if as_json:
        show_json(dict(total))
        return
    became = f"{total['joined']} joined with an answer, {total['unknown']} of requests that are not waited for"
    line(f"{total['received']} outcomes: {became}, {total['unusable']} that cannot be compared with the answer")


def _read(file: Path) -> Iterator[Any]:
    if str(file) == "-":
        yield from _documents("standard input", sys.stdin)
        return
    try:
        with file.open(encoding="utf-8") as lines:
            yield from _documents(str(file), lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemReported(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def _documents(source: str, lines: Iterable[str]) -> Iterator[Any]:
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            document = json.loads(text) if len(text) <= _LONGEST_LINE else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.keys() != {"request_id", "outcome"}:
            raise ProblemReported(f'{source}, line {number}: expected {{"request_id": ..., "outcome": ...}}')
        yield document
