"""Versions that brought a process of this tree down: written by the supervisor, read by every process that loads."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.crash_marks import Busy

__all__ = ["CRASHES", "MOST_LOADS", "Crash", "CrashFile"]

MOST_LOADS = 3
"""A version that has crashed so many processes by being loaded is not loaded again, whoever relies on it."""

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT})
"""Signals by which native code ends its process. Not SIGKILL: that comes from outside, and blames nobody."""


@dataclass(frozen=True, slots=True)
class Crash:
    """How a version brought a process down for the first time, and how many it has by being loaded."""

    why: str
    loads: int = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether it will not be there however often it is tried."""
        return self.loads >= MOST_LOADS


class CrashFile:
    """A file of the run directory: it goes with the process tree. One process writes it, any may look.

    Who was busy when its process crashed is blamed, be it alone or one of several: risk only goes down by that. Only a
    stable version is not, where another was busy too: it has proven itself, and every moment finds it busy.

    A crash in which nobody was busy is noted as well: of stable versions runs are marked only in processes that start
    after one, since a mark costs every run half a microsecond.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = CrashFile(Path(folder) / "crashed.json")
    ...     file.add("worker-0", signal.SIGFPE, [Busy("m", "2", "canary")])
    ...     file.look()["m", "2"].why
    'worker-0 crashed with SIGFPE while it ran this version as canary'
    """

    def __init__(self, path: Path) -> None:
        self._path, self._riddle = path, path.with_suffix(".riddle")
        self._seen_ns = -1
        self._found: Mapping[tuple[str, str], Crash] = {}

    @property
    def has_riddle(self) -> bool:
        """Whether a process crashed that was busy with no marked version."""
        return self._riddle.exists()

    def add(self, process: str, number: signal.Signals, busy: Iterable[Busy]) -> None:
        """Blame the versions that a process was busy with when it ended by a signal; the first word of each stays."""
        found, all_busy = dict(self.look()), list(busy)
        if not all_busy:
            self._riddle.touch()
        for one in [one for one in all_busy if one.doing != "stable"] or all_busy:
            name, is_load = (one.model, one.version), one.doing == "loading"
            did = "loaded this version" if is_load else f"ran this version as {one.doing}"
            known = found.get(name, Crash(f"{process} crashed with {number.name} while it {did}"))
            found[name] = replace(known, loads=known.loads + is_load)
        unnamed = self._path.with_suffix(".making")
        unnamed.write_text(json.dumps([[*name, one.why, one.loads] for name, one in found.items()]))
        unnamed.replace(self._path)

    def look(self) -> Mapping[tuple[str, str], Crash]:
        """Return the versions that crashed a process, each with the reason; reads the file when it has changed."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return self._found
        if changed_ns != self._seen_ns:
            rows = json.loads(self._path.read_bytes())
            self._found = {(model, version): Crash(why, loads) for model, version, why, loads in rows}
            self._seen_ns = changed_ns
        return self._found
