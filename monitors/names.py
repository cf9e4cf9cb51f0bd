"""Names of values as people read them: none is empty, and none is long."""

from __future__ import annotations

import hashlib

__all__ = ["EMPTY", "name_in_words", "shortened"]

EMPTY = "empty text"
LONGEST_NAME = 100
DIGEST_CHARACTERS = 12


def shortened(name: str) -> str:
    """Return a name, the rest of one that is longer than ``LONGEST_NAME`` told by its digest."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
    return f"{name[: LONGEST_NAME - DIGEST_CHARACTERS - 1]}~{digest}"


def name_in_words(name: str) -> str:
    """Return a name as it stands in a sentence.

    >>> name_in_words("basic"), name_in_words(""), len(name_in_words("x" * 5000))
    ('basic', 'empty text', 100)
    """
    return shortened(name) or EMPTY
