"""Versions that brought a process of this tree down: written by the supervisor, read by every process that loads."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.crash_marks import Busy

__all__ = ["CRASHES", "CrashFile"]

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT})
"""Signals by which native code ends its process. Not SIGKILL: that comes from outside, and blames nobody."""


class CrashFile:
    """A file of the run directory: it goes with the process tree. One process writes it, any may look.

    Who was busy when its process crashed is blamed, be it alone or one of several: risk only goes down by that.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = CrashFile(Path(folder) / "crashed.json")
    ...     file.add("worker-0", signal.SIGFPE, [Busy("m", "2", "canary")])
    ...     dict(file.look())
    {('m', '2'): 'worker-0 crashed with SIGFPE while it ran this version as canary'}
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen_ns = -1
        self._found: Mapping[tuple[str, str], str] = {}

    def add(self, process: str, number: signal.Signals, busy: Iterable[Busy]) -> None:
        """Blame the versions that a process was busy with when it ended by a signal; the first word of each stays."""
        found = dict(self.look())
        for one in busy:
            did = "loaded this version" if one.doing == "loading" else f"ran this version as {one.doing}"
            found.setdefault((one.model, one.version), f"{process} crashed with {number.name} while it {did}")
        unnamed = self._path.with_suffix(".making")
        unnamed.write_text(json.dumps([[*name, why] for name, why in found.items()]))
        unnamed.replace(self._path)

    def look(self) -> Mapping[tuple[str, str], str]:
        """Return the versions that crashed a process, each with the reason; reads the file when it has changed."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return self._found
        if changed_ns != self._seen_ns:
            rows = json.loads(self._path.read_bytes())
            self._found, self._seen_ns = {(model, version): why for model, version, why in rows}, changed_ns
        return self._found
