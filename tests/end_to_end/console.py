"""Console blocks of a document: read, run in one shell, and compared with what the document shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Step", "alike", "read_steps", "run_steps", "stable_parts"]

_HEADING = re.compile(r"(#+) +(.*)")
_END = "@@ended"
_ANYTHING = ("...", "\u2026")
_VARYING: tuple[tuple[str, str], ...] = (
    (r"(?:127\.0\.0\.1|localhost):\d+", "HOST"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?", "TIME"),
    (r"\b1[6-9]\d{8}(?:\.\d+)?\b", "TIME"),
    (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID"),
    (r"(?<![.\w])(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b", "ID"),
    (r"\b(worker|shadow|supervisor)-(\d+)(?:-\d+)+\b", r"\1-\2"),
    (r"\bdur=\d+(?:\.\d+)?", "dur=N"),
    (r"(?im)^(content-length|date): .*$", r"\1: N"),
    (r"(?m)^(weir_\w+(?:\{[^\n]*\})?) \S+$", r"\1 N"),
)
_BORDER = "\u2502"
_CELL_BORDER = re.compile("[\u2502\u2503]")
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b|(?<= )-(?= |$)")
_DECIMAL = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a console block, the output shown below it, and the line of the document it stands in."""

    command: str
    shown: str
    line: int


def read_steps(markdown: str, section: str) -> list[Step]:
    """Return the commands of the ``console`` blocks below the heading that has the word ``section`` in it.

    A command goes on while a quote is open or a line ends with a backslash; the prompt of such lines may be ``> ``.
    """
    return [step for number, block in _blocks(markdown, section) for step in _steps(number, block)]


def _blocks(markdown: str, section: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first line's number and the lines of each console block of the section."""
    depth, language = 0, None
    block: list[str] = []
    for number, line in enumerate(markdown.splitlines(), 1):
        if line.startswith("```"):
            if depth and language == "console":
                yield number - len(block), block
            block, language = [], None if language is not None else line[3:].strip()
        elif language is not None:
            block.append(line)
        elif heading := _HEADING.match(line):
            depth = _depth_after(depth, heading, section)


def _steps(first: int, block: list[str]) -> list[Step]:
    steps: list[Step] = []
    lines = iter(enumerate(block, first))
    for number, line in lines:
        if line.startswith("$ "):
            command = [line[2:]]
            while _is_open(command):
                command.append(next(lines)[1].removeprefix("> "))
            steps.append(Step("\n".join(command), "", number))
        elif steps:
            steps[-1] = replace(steps[-1], shown=f"{steps[-1].shown}{line}\n")
    return steps


def _depth_after(depth: int, heading: re.Match[str], section: str) -> int:
    """Return the depth of the section that is read: 0 outside of it."""
    level = len(heading[1])
    if depth and level > depth:
        return depth
    return level if section.lower() in heading[2].lower() else 0


def _is_open(command: Sequence[str]) -> bool:
    try:
        shlex.split("\n".join(command))
    except ValueError:
        return True
    return command[-1].endswith("\\")


def run_steps(steps: Sequence[Step], folder: Path, environ: Mapping[str, str], *, timeout_s: float = 60.0) -> list[str]:
    """Return what each command prints, standard error included; all of them run in one bash, one after the other."""
    script = "".join(f"{step.command}\nprintf '\\n{_END}\\n'\n" for step in steps)
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    printed = done.stdout.split(f"\n{_END}\n")
    assert len(printed) == len(steps) + 1, f"the shell ended early: {done.stdout}"
    return printed[:-1]


def stable_parts(text: str) -> str:
    """Return a text in which ids, times, digests and addresses are the same in every run, and decimals have 4 digits.

    JSON is laid out anew.

    >>> stable_parts('{"id": "00c0ffee00c0ffee", "p": [0.123456, 1.0]}').split()
    ['{', '"id":', '"ID",', '"p":', '[', '0.1235,', '1', ']', '}']
    """
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    for pattern, stable in _VARYING:
        text = re.sub(pattern, stable, text)
    text = _DECIMAL.sub(lambda found: f"{float(found[0]):.4g}", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def alike(shown: str, printed: str) -> bool:
    """Return whether the stable parts agree. Three dots in what is shown stand for anything; alone, for any lines.

    Where JSON is shown in part, white space does not count. Tables are compared as sets of rows without their numbers.

    >>> alike("a\\n...\\nz", "a\\nb\\nc\\nz"), alike("a ... c", "a b c"), alike("a", "b")
    (True, True, False)
    """
    expected, found = stable_parts(shown), stable_parts(printed)
    if _BORDER in shown:
        return _rows(expected) == _rows(found)
    if _is_json(printed) and not _is_json(shown):
        expected, found = "".join(expected.split()), "".join(found.split())
    return re.fullmatch(_pattern(expected), found) is not None


def _rows(text: str) -> set[tuple[str, ...]]:
    """Return the lines of a table and of what stands around it, cell by cell."""
    lines = [line for line in text.splitlines() if _CELL_BORDER.search(line) or line[:1].isalnum()]
    return {tuple(_NUMBER.sub("N", cell).strip() for cell in _CELL_BORDER.split(line)) for line in lines}


def _is_json(text: str) -> bool:
    with suppress(ValueError):
        return isinstance(json.loads(text), dict | list)
    return False


def _pattern(shown: str) -> str:
    lines = []
    for line in shown.splitlines():
        pieces = re.split("|".join(map(re.escape, _ANYTHING)), line)
        lines.append(r"(?:[^\n]*\n)*?" if line.strip() in _ANYTHING else "[^\n]*".join(map(re.escape, pieces)) + r"\n")
    return "".join(lines).removesuffix(r"\n") + (r"[^\n]*" if lines and lines[-1].startswith("(?:") else "")
