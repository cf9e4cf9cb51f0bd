"""Text of others, made safe for a terminal."""

from __future__ import annotations

from unicodedata import category

__all__ = ["printable"]

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls (C0, DEL, C1), format and bidirectional controls, lone surrogates, line and paragraph separators."""


def printable(text: str) -> str:
    """Return the text with every control character written out, so that it can neither move the cursor nor hide.

    A name in a model, a reason in the audit log or an answer of a gateway may hold anything; markup is not looked at.

    Examples
    --------
    >>> print(printable("fraud\\x1b[2J \\u202egnp.exe"))
    fraud\\x1b[2J \\u202egnp.exe
    """
    if text.isprintable():
        return text
    return "".join(_written_out(character) if category(character) in _INVISIBLE else character for character in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
