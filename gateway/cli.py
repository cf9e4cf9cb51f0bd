"""The ``weir`` command: gathers the verbs, and tells errors in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

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
    serve,
    token,
)
from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported, reported
from gateway.commands.release import command as release
from gateway.commands.report import command as report
from gateway.demo import command as demo
from gateway.errors import WeirError

__all__ = ["build_app", "main"]

_GROUPS = (
    serve, catalog, bundle, card, admin, alerts, approval, audit, history, baseline, release, rollout, log, monitor,
    report, token, demo,
)  # fmt: skip


def build_app() -> typer.Typer:
    """Return the application with all its commands."""
    app = typer.Typer(
        name="weir",
        help="Serve ONNX models, move traffic between versions, watch what flows.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for group in _GROUPS:
        group.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Exits with 0, with 1 (some with 3) for a problem that it tells, with 2 for wrong usage."""
    try:
        build_app()(args=arguments)
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
