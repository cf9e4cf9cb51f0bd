"""What went wrong, as a command tells it."""

from __future__ import annotations

from gateway.errors import DocumentInvalid, Fault, WeirError
from gateway.extras import Extra

__all__ = ["ProblemReported", "reported", "require_extra"]


class ProblemReported(Exception):
    """The gateway refused or could not be reached, or a folder is missing; ``faults`` tell what a document breaks.

    ``status`` is what the command exits with.
    """

    def __init__(self, detail: str, *, kind: str = "", faults: tuple[Fault, ...] = (), status: int = 1) -> None:
        super().__init__(detail)
        self.kind, self.faults, self.status = kind, faults, status


def reported(error: WeirError | OSError, *, status: int = 1) -> ProblemReported:
    """Return an error in words, to exit with that status."""
    if isinstance(error, DocumentInvalid):
        return ProblemReported(f"{error.source}: not valid", faults=tuple(error.faults), status=status)
    if isinstance(error, FileExistsError) and error.filename:
        detail = f"{error.filename} exists and is not overwritten: give another name, or move it away first"
        return ProblemReported(detail, status=status)
    if isinstance(error, OSError) and error.filename:
        return ProblemReported(f"{error.filename}: {error.strerror}", status=status)
    return ProblemReported(str(error), status=status)


def require_extra(extra: Extra, what: str) -> None:
    """Refuse to go on without the packages of an extra.

    Raises
    ------
    ProblemReported
        Says what needs which of them, and what to install.
    """
    if missing := extra.missing():
        raise ProblemReported(f"{what} needs {' and '.join(missing)}: pip install '{extra.name}'")
