"""The ``weir`` command: gathers the verbs, and tells errors in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from gateway.commands import serve
from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported, reported
from gateway.errors import WeirError

__all__ = ["build_app", "main"]


def build_app(verb: str = "") -> typer.Typer:
    """Return the application with all its commands, or with ``serve`` alone where that is the verb.

    The packages of the others and the parsers of their options are 0.2 of the 1.4 s that a start takes.
    """
    app = typer.Typer(
        name="weir",
        help="Serve ONNX models, move traffic between versions, watch what flows.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    serve.register(app)
    if verb == "serve":
        app.callback()(_all_verbs_have_names)
    else:
        _register_others(app)
    return app


def _all_verbs_have_names() -> None:
    """Keep the name of a verb that is alone."""


def _register_others(app: typer.Typer) -> None:
    from gateway.commands import (
        admin,
        alerts,
        approval,
        audit,
        baseline,
        bundle,
        card,
        catalog,
        history,
        log,
        monitor,
        rollout,
        token,
    )
    from gateway.commands.release import command as release
    from gateway.commands.report import command as report
    from gateway.demo import command as demo

    for group in (
        catalog, bundle, card, admin, alerts, approval, audit, history, baseline, release, rollout, log, monitor,
        report, token, demo,
    ):  # fmt: skip
        group.register(app)


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
