"""The ``weir`` command: gathers the verbs, and tells errors in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from gateway.commands import admin, audit, baseline, catalog, history, log, monitor, rollout, serve, token
from gateway.commands.printable import printable
from gateway.commands.problem import ProblemReported
from gateway.commands.report import command as report
from gateway.demo import command as demo
from gateway.errors import DocumentInvalid, Fault, WeirError

__all__ = ["build_app", "main"]


def build_app() -> typer.Typer:
    """Return the application with all its commands."""
    app = typer.Typer(
        name="weir",
        help="Serve ONNX models, move traffic between versions, watch what flows.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for group in (serve, catalog, admin, audit, history, baseline, rollout, log, monitor, report, token, demo):
        group.register(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Exits with 0, with 1 for a problem that it tells on standard error, with 2 for wrong usage."""
    try:
        build_app()(args=arguments)
    except DocumentInvalid as problem:
        _tell(f"{problem.source}: not valid", problem.faults)
        sys.exit(1)
    except ProblemReported as problem:
        _tell(str(problem), problem.faults)
        sys.exit(1)
    except WeirError as problem:
        _tell(str(problem))
        sys.exit(1)
    except OSError as error:
        _tell(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(1)


def _tell(detail: str, faults: Sequence[Fault] = ()) -> None:
    typer.echo(f"weir: {printable(detail)}", err=True)
    for fault in faults:
        typer.echo(f"  {printable(str(fault))}", err=True)


if __name__ == "__main__":
    main()
