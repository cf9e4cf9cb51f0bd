"""Weir's Grafana dashboards as code; ``scripts/generate`` writes each to ``grafana/dashboards/weir``.

Each module of ``grafana.boards`` is one dashboard: it has a ``BOARD``, and its name is the file's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import grafana.boards
from grafana.board import Board

__all__ = ["board_names", "generated", "main"]


def board_names() -> list[str]:
    """Return the name of every dashboard, in alphabetical order."""
    return sorted(module.name for module in iter_modules(grafana.boards.__path__))


def generated(name: str) -> str:
    """Return the text of a dashboard's file."""
    board: Board = import_module(f"grafana.boards.{name}").BOARD
    return board.document(name)


def main(arguments: Sequence[str]) -> None:
    """Print the dashboard that is named, or the names of all."""
    sys.stdout.write(generated(arguments[0]) if arguments else "".join(f"{name}\n" for name in board_names()))


if __name__ == "__main__":
    main(sys.argv[1:])
