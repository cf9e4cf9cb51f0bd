"""Merkle trees over audit records, as RFC 9162 section 2.1 (and RFC 6962 before it) hashes them.

The leaves are the records' own hashes, which are leaf hashes already: SHA-256 over a zero byte and the record.

References
----------
B. Laurie, E. Messeri, R. Stradling, "Certificate Transparency Version 2.0", RFC 9162, 2021.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["Frontier", "MerkleTree", "root_of_proof"]

EMPTY_ROOT = hashlib.sha256(b"").digest()
_NODE = b"\x01"


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough for the root at every size, in memory of its logarithm.

    Examples
    --------
    >>> frontier = Frontier()
    >>> frontier.append(bytes(32))
    >>> frontier.root() == bytes(32)
    True
    """

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash of 32 bytes; O(1) on average."""
        size, peak = self.size, leaf
        while size & 1:
            peak = _node(self._peaks.pop(), peak)
            size >>= 1
        self._peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *left, root = self._peaks
        for peak in reversed(left):
            root = _node(peak, root)
        return root


class MerkleTree:
    """A whole tree, for proofs of every leaf; 64 bytes of memory a leaf.

    Parameters
    ----------
    leaves
        Leaf hashes of 32 bytes each.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(below := self._levels[-1]) > 1:
            level = [_node(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
            # A node without a sibling stands for itself one level higher.
            self._levels.append(level + below[len(below) & ~1 :])

    def root(self) -> bytes:
        """Return the root."""
        return self._levels[-1][0] if self._levels[-1] else EMPTY_ROOT

    def proof(self, index: int) -> list[bytes]:
        """Return the inclusion proof of the leaf at ``index``, from the leaf upwards."""
        found = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                found.append(level[sibling])
            index >>= 1
        return found


def root_of_proof(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf and its inclusion proof lead to, as RFC 9162 section 2.1.3.2 checks it.

    ``None`` where the proof has not the length that a tree of that size needs.

    Examples
    --------
    >>> tree = MerkleTree([bytes([n]) * 32 for n in range(5)])
    >>> root_of_proof(bytes([4]) * 32, 4, 5, tree.proof(4)) == tree.root()
    True
    """
    if not 0 <= index < size:
        return None
    at, last, root = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return None
        if at & 1 or at == last:
            root = _node(step, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = _node(root, step)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None
