"""The file format of a worker's counters: words in ``<worker>.cells``, their meaning in ``<worker>.index``.

The cells file is a header of eight words, then 64-bit words in the machine's byte order: integers of counters and
histograms, floats of gauges. A histogram takes one word a bucket, one for the values above all buckets, and one for the
sum in fixed point. The worker holds an exclusive ``flock`` on the file from before the file has its name until the
process ends, however it ends: a lock that can be taken is the proof that no more will be written.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "HEADER_WORDS",
    "WORD_BYTES",
    "Entry",
    "Labels",
    "append_line",
    "cells_path",
    "header",
    "index_documents",
    "index_path",
    "is_complete",
    "is_locked",
]

Labels = tuple[tuple[str, str], ...]

WORD_BYTES = 8
HEADER_WORDS = 8
_MAGIC = b"WEIRCELL"
_VERSION = 1
_LAYOUT = struct.Struct("=8sII")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one series lives: ``width`` words from ``slot``. ``bounds`` is empty for a counter or a gauge."""

    name: str
    labels: Labels
    bounds: tuple[float, ...]
    slot: int

    @property
    def width(self) -> int:
        """Words that the series takes."""
        return len(self.bounds) + 2 if self.bounds else 1

    def to_line(self) -> bytes:
        """Return the line of the index."""
        document = {"name": self.name, "labels": dict(self.labels), "bounds": self.bounds, "slot": self.slot}
        return json.dumps(document, separators=(",", ":")).encode()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Entry:
        """Return the entry that a line of the index describes."""
        labels = tuple(sorted(document["labels"].items()))
        return cls(document["name"], labels, tuple(document["bounds"]), document["slot"])


def header(words: int) -> bytes:
    """Return the first bytes of a cells file of ``words`` words."""
    return _LAYOUT.pack(_MAGIC, _VERSION, words)


def is_complete(data: mmap.mmap) -> bool:
    """Return whether the mapped file is a cells file of this version."""
    return data[: _LAYOUT.size] == header(len(data) // WORD_BYTES)


def cells_path(directory: Path, worker_id: str) -> Path:
    """Return where the worker's words are."""
    return directory / f"{worker_id}.cells"


def index_path(directory: Path, worker_id: str) -> Path:
    """Return where the meaning of the worker's words is."""
    return directory / f"{worker_id}.index"


def index_documents(path: Path) -> Iterator[dict[str, Any]]:
    """Give the documents of an index; what a writer did not finish is left out."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        with suppress(ValueError, RecursionError):
            document = json.loads(line)
            if isinstance(document, dict):
                yield document


def is_locked(descriptor: int) -> bool:
    """Return whether the owner of the open cells file lives. A killed owner's lock goes with its mapping."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def append_line(descriptor: int, line: bytes) -> bool:
    """Append one line to an index in one system call; return whether all of it is stored."""
    # The leading line break ends a line that an earlier call could not finish.
    data = b"\n" + line + b"\n"
    try:
        return os.write(descriptor, data) == len(data)
    except OSError:
        return False
