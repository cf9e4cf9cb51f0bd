"""What a process was busy with when it crashed: a byte in a mapped file, set around everything that a version does.

A graph can bring its whole process down: ONNX Runtime runs native code, and a division of the smallest integer by -1 is
enough. Nothing of the process is left to say which version it was but this file.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # numpy and ONNX Runtime: not in the supervisor, which only reads marks
    from gateway.engine.outputs import Outputs
    from gateway.engine.session import RunHandle
    from gateway.engine.version import ServableVersion
    from monitors.records import Variant

__all__ = ["Busy", "CrashMarks", "Doing", "Mark", "MarkedVersion", "marked_loader", "take_marks"]

Doing: TypeAlias = "Variant | Literal['loading']"
_SLOTS, _SLOT_BYTES = 64, 512


@dataclass(frozen=True, slots=True)
class Busy:
    """A version, and what a process was doing with it."""

    model: str
    version: str
    doing: Doing


class Mark:
    """Says, inside its block, that the process is busy with one version. One thread at a time; two stores a block."""

    __slots__ = ("_at", "_bytes")

    def __init__(self, mapping: mmap.mmap, at: int) -> None:
        self._bytes, self._at = mapping, at

    def __enter__(self) -> None:
        self._bytes[self._at] = 1

    def __exit__(self, *_: object) -> None:
        self._bytes[self._at] = 0


class CrashMarks:
    """The marks of one process, in a file that outlives it. Safe from any thread.

    Parameters
    ----------
    directory
        Where the files of all processes of the tree are.
    process
        Name of this one, unique over restarts.

    Notes
    -----
    64 versions and roles have a mark; further ones go without.
    """

    def __init__(self, directory: Path, process: str) -> None:
        self._path = _path(directory, process)
        size = _SLOTS * _SLOT_BYTES
        with self._path.open("xb+") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a store into a hole of a full disk would be a crash of its own
            self._mapping = mmap.mmap(file.fileno(), size)
        self._lock = threading.Lock()
        self._marks: dict[Busy, Mark] = {}

    def mark(self, model: str, version: str, doing: Doing) -> Mark:
        """Return the mark of a version in a role, always the same one."""
        busy = Busy(model, version, doing)
        with self._lock:
            if busy not in self._marks:
                self._marks[busy] = self._placed(busy, len(self._marks) + 1)
            return self._marks[busy]

    def close(self) -> None:
        """Remove the file: the process ends in order."""
        self._path.unlink(missing_ok=True)

    def _placed(self, busy: Busy, slot: int) -> Mark:
        text = json.dumps([busy.model, busy.version, busy.doing]).encode()
        if slot >= _SLOTS or len(text) >= _SLOT_BYTES:
            return Mark(self._mapping, 0)  # the first slot has no text, and says nothing
        at = slot * _SLOT_BYTES
        self._mapping[at + 1 : at + 1 + len(text)] = text
        return Mark(self._mapping, at)


class MarkedVersion:
    """A version whose runs are marked."""

    def __init__(self, version: ServableVersion, mark: Mark) -> None:
        self._version, self._mark = version, mark

    @property
    def max_batch_rows(self) -> int | None:
        """Rows of one run; ``None`` where requests must run one by one."""
        return self._version.max_batch_rows

    def run(self, feeds: Any, n: int, handle: RunHandle | None = None) -> Outputs:
        """Run ``n`` rows; raise ``RunFailed``."""
        with self._mark:
            return self._version.run(feeds, n, handle)


def marked_loader(
    load: Callable[[str, str], ServableVersion], marks: CrashMarks
) -> Callable[[str, str], ServableVersion]:
    """Return a loader whose loads are marked; for one thread."""

    def marked(model: str, version: str) -> ServableVersion:
        with marks.mark(model, version, "loading"):
            return load(model, version)

    return marked


def take_marks(directory: Path, process: str) -> list[Busy]:
    """Return what a process that has ended was busy with, and remove its file."""
    path = _path(directory, process)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    path.unlink(missing_ok=True)
    slots = [data[at : at + _SLOT_BYTES] for at in range(0, len(data), _SLOT_BYTES)]
    return [Busy(*json.loads(slot[1:].rstrip(b"\0"))) for slot in slots[1:] if slot[0]]


def _path(directory: Path, process: str) -> Path:
    return directory / f"{process}.marks"
