"""The setting that says where the state lives: the path of a file, or the address of a Redis server."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

__all__ = ["address_fault", "is_redis", "split_password"]

_DATABASE = re.compile(r"(/\d{0,4})?")
_EXPECTED = "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or unix:///SOCKET, without a query"
_SCHEMES = ("redis", "rediss", "unix")


def is_redis(state: str) -> bool:
    """Return whether the setting is an address; everything without ``://`` is a path.

    >>> is_redis("redis://127.0.0.1:6379/0"), is_redis("weir.db")
    (True, False)
    """
    return "://" in state


def address_fault(state: str) -> str | None:
    """Return what an address should be where this is none, without repeating it: it may hold a password.

    >>> address_fault("redis://127.0.0.1:6379/0")
    >>> address_fault("http://127.0.0.1")
    'redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or unix:///SOCKET, without a query'
    """
    try:
        parts = urlsplit(state)
        is_well = parts.scheme in _SCHEMES and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        is_well = False
    else:
        is_server = parts.scheme != "unix"
        is_well &= bool(parts.hostname and _DATABASE.fullmatch(parts.path)) if is_server else len(parts.path) > 1
    return None if is_well else _EXPECTED


def split_password(address: str) -> tuple[str, str]:
    """Return an address without its password, and the password, empty where there is none.

    >>> split_password("redis://ann:s%2Fcret@db:6379/1")
    ('redis://ann@db:6379/1', 's/cret')
    """
    parts = urlsplit(address)
    user, _, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    netloc = f"{quote(unquote(name), safe='')}@{place}" if name else place
    return parts._replace(netloc=netloc).geturl(), unquote(password)
