"""Idempotency keys: a request that comes twice is carried out once, and a key means one request only.

A rollout keeps the newest keys, each with a fingerprint of what was asked, in the transaction that carries the request
out. So there is no time in which a request is half done: of two with one key, one is carried out and the other answers
as a repetition.

References
----------
Jena, Dalal, "The Idempotency-Key HTTP Header Field", draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib

from gateway.codec.documents import encode_document
from gateway.errors import IdempotencyKeyReused

__all__ = ["fingerprint", "is_repeated", "remembered"]

_MOST = 16
_DIGITS = 32


def fingerprint(verb: str, body: object) -> str:
    """Return what tells two requests apart: the verb and what its body says, however that is written.

    >>> fingerprint("pause", "") == fingerprint("pause", ""), fingerprint("pause", "") == fingerprint("abort", "")
    (True, False)
    """
    return hashlib.sha256(encode_document([verb, body])).hexdigest()[:_DIGITS]


def is_repeated(applied: tuple[str, ...], key: str, asked: str) -> bool:
    """Return whether the request was carried out already.

    Parameters
    ----------
    applied
        As :func:`remembered` makes it.
    key, asked
        The request's key, empty for none, and its fingerprint.

    Raises
    ------
    IdempotencyKeyReused
        Another request was carried out under this key.
    """
    known = dict(_split(entry) for entry in applied)
    if not key or key not in known:
        return False
    if known[key] not in ("", asked):
        raise IdempotencyKeyReused(key)
    return True


def remembered(applied: tuple[str, ...], key: str, asked: str) -> tuple[str, ...]:
    """Return the keys with one more, the newest sixteen of them; without a key as they are."""
    return (*applied, f"{key} {asked}")[-_MOST:] if key else applied


def _split(entry: str) -> tuple[str, str]:
    # No key has a space. An entry without one is older than fingerprints, and stands for any request.
    key, _, asked = entry.partition(" ")
    return key, asked
