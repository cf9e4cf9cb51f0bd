"""The index beside a closed file of the log: which block holds which request ids, and of when the records are."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FileIndex", "IndexInvalid", "id_hash"]

_HEAD = struct.Struct("<8sQQ27s27s?9x")
_MAGIC = b"weirlog1"


class IndexInvalid(ValueError):
    """Bytes that are no index; the file beside it is then read whole."""


def id_hash(request_id: str) -> int:
    """Return 64 bits that stand for a request id."""
    return int.from_bytes(blake2b(request_id.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True, eq=False)
class FileIndex:
    """What is known of one closed file.

    Parameters
    ----------
    is_packed
        Whether each block is a gzip member of its own.
    first, last
        Times of the oldest and newest record, 27 characters each.
    starts_b : (b + 1,) uint64
        Where each block begins, and where the last one ends.
    hashes_n : (n,) uint64
        Hashed request ids, ascending.
    blocks_n : (n,) uint32
        The block of each.
    """

    is_packed: bool
    first: str
    last: str
    starts_b: npt.NDArray[np.uint64]
    hashes_n: npt.NDArray[np.uint64]
    blocks_n: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, is_packed: bool, times: tuple[str, str], starts: list[int], ids: list[tuple[int, int]]) -> FileIndex:
        """Sort what was found of a file: ``ids`` are pairs of hashed id and block."""
        hashes_n = np.array([hashed for hashed, _ in ids], np.uint64)
        blocks_n = np.array([block for _, block in ids], np.uint32)
        order_n = np.argsort(hashes_n, kind="stable")
        return cls(is_packed, *times, np.array(starts, np.uint64), hashes_n[order_n], blocks_n[order_n])

    @classmethod
    def from_bytes(cls, data: Any) -> FileIndex:
        """Read what ``to_bytes`` wrote, from anything with a buffer, such as a mapped file.

        Raises
        ------
        IndexInvalid
            For other bytes.
        """
        if len(data) < _HEAD.size:
            raise IndexInvalid("too short for its head")
        magic, blocks, ids, first, last, is_packed = _HEAD.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEAD.size + 8 * (blocks + 1) + 12 * ids:
            raise IndexInvalid("its length is not what its head says")
        at = _HEAD.size
        starts_b = np.frombuffer(data, "<u8", blocks + 1, at)
        hashes_n = np.frombuffer(data, "<u8", ids, at := at + 8 * (blocks + 1))
        blocks_n = np.frombuffer(data, "<u4", ids, at + 8 * ids)
        return cls(is_packed, _text(first), _text(last), starts_b, hashes_n, blocks_n)

    def to_bytes(self) -> bytes:
        """Return the index as it is stored."""
        counts = (len(self.starts_b) - 1, len(self.hashes_n))
        head = _HEAD.pack(_MAGIC, *counts, self.first.encode(), self.last.encode(), self.is_packed)
        arrays = (self.starts_b.astype("<u8"), self.hashes_n.astype("<u8"), self.blocks_n.astype("<u4"))
        return head + b"".join(array.tobytes() for array in arrays)

    def extents_of(self, request_id: str) -> list[tuple[int, int]]:
        """Return start and end of the blocks that may hold an id, ascending. Costs the logarithm of the ids."""
        wanted = np.uint64(id_hash(request_id))
        low, high = (int(np.searchsorted(self.hashes_n, wanted, side)) for side in ("left", "right"))
        blocks = np.unique(self.blocks_n[low:high]).tolist()
        known = len(self.starts_b) - 1
        return [(int(self.starts_b[b]), int(self.starts_b[b + 1])) for b in blocks if b < known]


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0").decode("ascii", "replace")
