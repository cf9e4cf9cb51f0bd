"""Reading the log beside its writer: one request by its id, or everything of a model and a time."""

from __future__ import annotations

import gzip
import mmap
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, cast

from gateway.codec.log_lines import decode_line, encode_text
from gateway.prediction_log.folder import LogFolder, Segment
from gateway.prediction_log.index import FileIndex, IndexInvalid

__all__ = ["LONGEST_LINE_BYTES", "LogRefused", "Selection", "bounded_lines", "find_request", "read_records"]

Record = dict[str, Any]
MOST_BLOCK_BYTES = 64 * 1024 * 1024
LONGEST_LINE_BYTES = 16 * 1024**2
"""A record of thousands of features is shorter; a packed file could be one line without an end."""


class LogRefused(ValueError):
    """A file that no gateway wrote: it has a line beyond all bounds. The text names the file."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: of one model, from a time on, and before another; empty texts do not choose."""

    model: str = ""
    begin: str = ""
    end: str = ""

    def takes(self, record: Record) -> bool:
        """Return whether a record is meant."""
        found = record.get("time")
        time = found if isinstance(found, str) else ""
        is_of_model = not self.model or record.get("model") == self.model
        return is_of_model and self.begin <= time and (not self.end or time < self.end)

    def may_be_in(self, index: FileIndex | None) -> bool:
        """Return whether a file can hold what is meant."""
        if index is None:
            return True
        return self.begin <= index.last and (not self.end or index.first < self.end)


def find_request(path: Path, request_id: str) -> list[Record]:
    """Return the records of a request, oldest first.

    Notes
    -----
    A closed file costs a look at its index, and one block where it holds the id; the file that is being written is
    searched through. A line that is torn, or a file that goes meanwhile, is passed over.

    Raises
    ------
    LogRefused
        A line is longer than 16 MiB.
    """
    needle = b'"request_id":' + encode_text(request_id)
    found = [record for segment in LogFolder(path).segments() for record in _matches(segment, request_id, needle)]
    return sorted(found, key=lambda record: str(record.get("time", "")))


def read_records(path: Path, selection: Selection) -> Iterator[tuple[bytes, Record]]:
    """Give the chosen records with their lines, file by file, in the order in which they were written.

    Raises
    ------
    LogRefused
        A line is longer than 16 MiB.
    """
    for segment in LogFolder(path).segments():
        if selection.may_be_in(_index_of(segment)):
            for line in _lines(segment):
                record = decode_line(line)
                if record is not None and selection.takes(record):
                    yield line, record


def bounded_lines(lines: BinaryIO, name: str) -> Iterator[bytes]:
    """Give the lines of a file; memory holds one, of at most 16 MiB.

    Raises
    ------
    LogRefused
        A line is longer.
    """
    for number in count(1):
        line = lines.readline(LONGEST_LINE_BYTES + 1)
        if len(line) > LONGEST_LINE_BYTES:
            raise LogRefused(_too_long(f"{name}, line {number}"))
        if not line:
            return
        yield line


def _matches(segment: Segment, request_id: str, needle: bytes) -> Iterator[Record]:
    index = _index_of(segment)
    parts = _searched(segment, needle) if index is None else _blocks(segment, index, request_id)
    for part in parts:
        for line in part.splitlines():
            if needle in line and (record := decode_line(line)) and record.get("request_id") == request_id:
                yield record


def _blocks(segment: Segment, index: FileIndex, request_id: str) -> Iterator[bytes]:
    """Give the blocks of a closed file that may hold an id."""
    extents = index.extents_of(request_id)
    file = _open(segment.packed if index.is_packed else segment.plain) if extents else None
    if file is not None:
        with file:
            for begin, end in extents:
                file.seek(begin)
                block = file.read(end - begin)
                yield _unpacked(block) if index.is_packed else block


def _searched(segment: Segment, needle: bytes) -> Iterator[bytes]:
    """Give the lines of an open file that have the needle."""
    file = _open(segment.plain)
    if file is None:
        yield from (line for line in _lines(segment) if needle in line)
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        if size:
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as text:
                yield from _lines_with(text, needle, segment.plain.name)


def _lines_with(text: mmap.mmap, needle: bytes, name: str) -> Iterator[bytes]:
    at = text.find(needle)
    while at >= 0:
        end = text.find(b"\n", at)
        if end < 0:
            return
        begin = text.rfind(b"\n", 0, at) + 1
        if end - begin > LONGEST_LINE_BYTES:
            raise LogRefused(_too_long(f"{name}, byte {begin}"))
        yield text[begin:end]
        at = text.find(needle, end)


def _lines(segment: Segment) -> Iterator[bytes]:
    """Give the whole lines of a file; packed ones up to where they are damaged."""
    plain = _open(segment.plain)
    packed = None if plain else _open(segment.packed)
    if plain is not None:
        with plain:
            yield from (line for line in bounded_lines(plain, segment.plain.name) if line.endswith(b"\n"))
    elif packed is not None:
        with packed, gzip.GzipFile(fileobj=packed) as unpacked:
            lines = bounded_lines(cast(BinaryIO, unpacked), segment.packed.name)
            try:
                yield from (line for line in lines if line.endswith(b"\n"))
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return


def _too_long(where: str) -> str:
    return f"{where} has more than {LONGEST_LINE_BYTES:,} bytes: no gateway wrote it; take the file out of the folder"


def _index_of(segment: Segment) -> FileIndex | None:
    """Return the index of a closed file; nothing for one that is open, or whose index cannot be used."""
    file = _open(segment.index) if segment.is_sealed else None
    if file is None:
        return None
    with file:
        try:
            return FileIndex.from_bytes(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (IndexInvalid, ValueError):
            return None


def _open(path: Path) -> BinaryIO | None:
    """Open a file of the log; ``None`` where it has gone."""
    try:
        return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC))
    except FileNotFoundError:
        return None


def _unpacked(member: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(member, MOST_BLOCK_BYTES)
    except zlib.error:
        return b""
