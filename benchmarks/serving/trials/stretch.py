"""One stretch of load with the CPU time that it took on the server and elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from benchmarks.serving.machine import CpuTimes, cpu_times, foreign_share
from benchmarks.serving.tally import Load

__all__ = ["Stretch", "stretch", "stretch_within"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What came of the load, and the clocks around it."""

    load: Load
    before: CpuTimes
    after: CpuTimes

    @property
    def foreign(self) -> float:
        """Share of one core that other processes took."""
        return foreign_share(self.before, self.after)

    @property
    def server_s(self) -> float:
        """CPU seconds of the server's processes."""
        return self.after.servers_s - self.before.servers_s

    @property
    def server_cores(self) -> float:
        """Cores that the server kept busy."""
        return self.server_s / (self.after.at_s - self.before.at_s)

    @property
    def generator_cores(self) -> float:
        """Share of a core that the generator kept busy."""
        return (self.after.generator_s - self.before.generator_s) / (self.after.at_s - self.before.at_s)


def stretch(root: int, load: Callable[[], Load]) -> Stretch:
    """Run a load against the server whose first process is ``root``."""
    before = cpu_times(root)
    found = load()
    return Stretch(found, before, cpu_times(root))


def stretch_within(root: int, load: Callable[[AbstractContextManager[None]], Load]) -> Stretch:
    """Do the same, but for what the load does outside the context that it is given."""
    clocks: list[CpuTimes] = []

    @contextmanager
    def around() -> Iterator[None]:
        clocks.append(cpu_times(root))
        yield
        clocks.append(cpu_times(root))

    found = load(around())
    return Stretch(found, *clocks)
