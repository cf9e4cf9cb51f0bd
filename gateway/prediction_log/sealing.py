"""Closing a file of the log: its lines are packed block by block, and an index is put beside them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gateway.codec.log_lines import head_of
from gateway.prediction_log.folder import Segment
from gateway.prediction_log.index import FileIndex, id_hash

__all__ = ["seal"]

BLOCK_BYTES = 256 * 1024
_LEVEL = 1


def seal(segment: Segment, *, pack: bool) -> None:
    """Index a plain file, and pack it where that is wanted.

    Notes
    -----
    Whoever is killed in the middle leaves the plain file as it was. Each block is a gzip member of its own: tools read
    the file as any other, and one id costs one block. Cost: about a second for 64 MiB.

    Raises
    ------
    OSError
        The folder is full or cannot be written to; half-made files are removed.
    """
    fresh = [Path(f"{path}.new") for path in (segment.packed, segment.index)]
    try:
        with segment.plain.open("rb") as plain:
            index = _packed(plain, fresh[0]) if pack else _indexed(_blocks(plain), None)
        _write(fresh[1], index.to_bytes())
    except OSError:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise
    if pack:
        was = segment.plain.stat()
        os.utime(fresh[0], ns=(was.st_atime_ns, was.st_mtime_ns))  # retention goes by the last record, not by this
        fresh[0].rename(segment.packed)
    fresh[1].rename(segment.index)
    if pack:
        segment.plain.unlink()
    else:
        segment.packed.unlink(missing_ok=True)


def _packed(plain: BinaryIO, path: Path) -> FileIndex:
    with open(path, "wb", opener=_private) as packed:
        index = _indexed(_blocks(plain), packed)
        _settle(packed)
    return index


def _indexed(blocks: Iterator[list[bytes]], packed: BinaryIO | None) -> FileIndex:
    starts, ids, times = [0], [], []
    for number, lines in enumerate(blocks):
        for head in map(head_of, lines):
            if head is not None:
                ids.append((id_hash(head.request_id), number))
                times.append(head.time)
        data = b"".join(lines)
        if packed is not None:
            packed.write(data := _member(data))
        starts.append(starts[-1] + len(data))
    return FileIndex.of(packed is not None, (min(times, default=""), max(times, default="")), starts, ids)


def _blocks(plain: BinaryIO) -> Iterator[list[bytes]]:
    """Give the lines in blocks of about 256 KiB."""
    while lines := plain.readlines(BLOCK_BYTES):
        yield lines


def _member(data: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)  # 31: with the head and tail of gzip
    return packer.compress(data) + packer.flush()


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=_private) as file:
        file.write(data)
        _settle(file)


def _settle(file: BinaryIO) -> None:
    """Wait for the disk: the plain file goes once these names stand."""
    file.flush()
    os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
