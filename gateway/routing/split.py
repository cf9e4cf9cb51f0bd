"""The split: a pure function from salt and routing key to a bucket, and from a bucket to a variant."""

from __future__ import annotations

from hashlib import blake2b

from gateway.routing.document import FULL_BP

__all__ = ["bucket", "key_hash"]


def bucket(salt: bytes, key: str) -> int:
    """Return the key's bucket in [0, 10,000).

    A variant of weight w takes the buckets [0, w): raising w only adds keys, lowering it only removes the last ones,
    and another salt draws other keys. Costs about a microsecond.

    >>> bucket(b"rollout-1", "user-7") == bucket(b"rollout-1", "user-7")
    True
    """
    return key_hash(salt, key) % FULL_BP


def key_hash(salt: bytes, key: str) -> int:
    """Return 64 bits of BLAKE2b keyed with the salt (at most 64 bytes)."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=salt).digest(), "little")
