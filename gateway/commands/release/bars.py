"""How far a check has come, as progress bars on standard error; nothing where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gateway.release.policy import GATES, GateName

__all__ = ["Bars"]

T = TypeVar("T")
Step = Callable[[int], None]


class Bars:
    """A bar for each long piece of work, and one over the gates."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._gates: TaskID | None = None

    @classmethod
    @contextmanager
    def shown(cls) -> Iterator[Bars]:
        """Show bars while the block runs."""
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        console = Console(stderr=True)
        with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
            yield cls(progress)

    def work(self, what: str, total: int, work: Callable[[Step], T]) -> T:
        """Do work that tells how much of ``total`` is done so far."""
        task = self._progress.add_task(what, total=total)
        done = work(lambda so_far: self._progress.update(task, completed=so_far))
        self._progress.update(task, completed=total)
        return done

    def gate(self, gate: GateName, done: int, total: int) -> None:
        """Take how far a gate has come."""
        if self._gates is None:
            self._gates = self._progress.add_task("gates", total=len(GATES))
        share = done / total if total else 1.0
        self._progress.update(self._gates, description=f"gate {gate}", completed=GATES.index(gate) + share)
