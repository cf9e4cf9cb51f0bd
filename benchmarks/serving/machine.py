"""What the machine did during a round, read from ``/proc``: whose CPU time it was, and how much memory a group
holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CpuTimes", "cores", "cpu_times", "foreign_share", "proportional_mb", "server_pids", "surviving"]

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """CPU seconds at one moment: all processes together, the server's processes, this process."""

    at_s: float
    busy_s: float
    servers_s: float
    generator_s: float


def cores() -> tuple[int, int]:
    """Return the server's core and the generator's; the same one twice on a machine that has only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def server_pids(root: int) -> dict[int, str]:
    """Return a server's processes, each with the tick of its start, which tells it from a later one of that number.

    They are those of the session that the root leads, and all children of those.
    """
    return {pid: fields[19] for pid, fields in _family(root).items()}


def surviving(started: Mapping[int, str]) -> list[int]:
    """Return which processes of an earlier look are still the same."""
    return [pid for pid, fields in _processes() if started.get(pid) == fields[19]]


def cpu_times(root: int) -> CpuTimes:
    """Read the clocks; steal counts as busy, because a neighbour of this virtual machine took it.

    A process that ended goes on counting with the one that started it.
    """
    user, nice, system, _, _, irq, soft, steal = map(int, _PROC.joinpath("stat").read_text().split()[1:9])
    servers = sum(sum(map(int, fields[11:15])) for fields in _family(root).values())
    own = time.process_time()
    return CpuTimes(time.perf_counter(), (user + nice + system + irq + soft + steal) * _TICK_S, servers * _TICK_S, own)


def foreign_share(before: CpuTimes, after: CpuTimes) -> float:
    """Return the share of one core that neither the servers nor the generator used; noise may make it negative."""
    busy = after.busy_s - before.busy_s
    ours = after.servers_s - before.servers_s + after.generator_s - before.generator_s
    return (busy - ours) / (after.at_s - before.at_s)


def proportional_mb(pids: Iterable[int], *, anonymous: bool = False) -> float:
    """Return the memory of some processes, shared pages divided among those that share them.

    What is ``anonymous``, behind which stands no file, does not change when somebody else begins or ends to use the
    same libraries.
    """
    total_kb, figure = 0, "Pss_Anon:" if anonymous else "Pss:"
    for pid in pids:
        try:
            lines = _PROC.joinpath(str(pid), "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kb += next(int(line.split()[1]) for line in lines if line.startswith(figure))
    return total_kb / 1024


def _family(root: int) -> dict[int, list[str]]:
    """Return the ``stat`` fields of a server's processes; some servers give their workers sessions of their own."""
    everybody = dict(_processes())
    family = {pid: fields for pid, fields in everybody.items() if int(fields[3]) == root}
    while children := {
        pid: fields for pid, fields in everybody.items() if int(fields[1]) in family and pid not in family
    }:
        family |= children
    return family


def _processes() -> Iterable[tuple[int, list[str]]]:
    """Give each process's number and the fields of its ``stat`` after the name, which may hold spaces."""
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), folder.joinpath("stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
