"""What went wrong, as a command tells it."""

from __future__ import annotations

from gateway.errors import Fault

__all__ = ["ProblemReported"]


class ProblemReported(Exception):
    """The gateway refused or could not be reached, or a folder is missing; ``faults`` tell what a document breaks."""

    def __init__(self, detail: str, *, kind: str = "", faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.kind, self.faults = kind, faults
