"""Where an OpenID Connect issuer may be asked: over TLS, or on this host."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["is_safe", "issuer_fault"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def is_safe(url: str, *, like: str = "http:") -> bool:
    """Return whether what is read from a URL comes from whom it names; a remote issuer's, ``like`` it, by TLS only.

    >>> is_safe("https://login.example/keys"), is_safe("http://127.0.0.1:9000"), is_safe("http://login.example")
    (True, True, False)
    >>> is_safe("http://127.0.0.1:9000", like="https://login.example")
    False
    """
    try:
        parts = urlsplit(url)
        is_local = parts.scheme == "http" and parts.hostname in _LOOPBACK and urlsplit(like).scheme == "http"
        return bool(parts.hostname) and parts.port != 0 and (parts.scheme == "https" or is_local)
    except ValueError:
        return False


def issuer_fault(issuer: str) -> str | None:
    """Return what was expected of an issuer that is none; ``None`` for one that is fine."""
    is_plain = issuer.isprintable() and not {" ", "?", "#", "@"} & set(issuer)
    if is_plain and is_safe(issuer):
        return None
    return "an https:// URL, as the tokens name it in iss (http:// on the loopback of this host only)"
