"""The ``weir`` command: gathers the verbs, and tells errors in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import typer

from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported, reported
from gateway.errors import WeirError

__all__ = ["build_app", "main"]

_VERBS = {
    "gateway.commands.serve": ("serve",),
    "gateway.commands.catalog": ("models", "profile", "schema"),
    "gateway.commands.bundle": ("bundle",),
    "gateway.commands.card": ("card", "bom"),
    "gateway.commands.admin": ("rollback", "stop", "resume", "load", "unload", "drift", "route"),
    "gateway.commands.alerts": ("alerts", "acknowledge", "mark-false"),
    "gateway.commands.approval": ("approval",),
    "gateway.commands.audit": ("audit",),
    "gateway.commands.history": ("history",),
    "gateway.commands.baseline": ("baseline",),
    "gateway.commands.release.command": ("release",),
    "gateway.commands.rollout": ("rollout",),
    "gateway.commands.log": ("log",),
    "gateway.commands.monitor": ("monitor",),
    "gateway.commands.report.command": ("report",),
    "gateway.commands.token": ("token",),
    "gateway.demo.command": ("demo",),
}
_PACKAGES = {verb: package for package, verbs in _VERBS.items() for verb in verbs}


def build_app(verb: str = "") -> typer.Typer:
    """Return the application with all its commands, or with those of one package where the verb is one of its verbs.

    The packages of the others and the parsers of their options would be half of what a short command takes.

    >>> [group.name for group in build_app("rollout").registered_groups]
    ['rollout']
    """
    app = typer.Typer(
        name="weir",
        help="Serve ONNX models, move traffic between versions, watch what flows.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for package in (_PACKAGES[verb],) if verb in _PACKAGES else _VERBS:
        import_module(package).register(app)
    if verb in _PACKAGES:
        app.callback()(_all_verbs_have_names)
    return app


def _all_verbs_have_names() -> None:
    """Keep the name of a verb that is alone."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Exits with 0, with 1 (some with 3) for a problem that it tells, with 2 for wrong usage."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        build_app(words[0] if words else "")(args=words)
    except ProblemReported as problem:
        _exit(problem)
    except (WeirError, OSError) as error:
        _exit(reported(error))


def _exit(problem: ProblemReported) -> NoReturn:
    typer.echo(f"weir: {printable(str(problem))}", err=True)
    for fault in problem.faults:
        typer.echo(f"  {printable(str(fault))}", err=True)
    sys.exit(problem.status)


if __name__ == "__main__":
    main()
