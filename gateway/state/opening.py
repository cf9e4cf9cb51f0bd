"""Opens the state store that the settings name: a file of this host, or a Redis server."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.clock import SystemClock
from gateway.errors import DocumentInvalid, Fault
from gateway.settings import Settings
from gateway.state.address import is_redis, split_password
from gateway.state.hints import Hints
from gateway.state.sqlite import SqliteStore
from gateway.state.store import StateStore

if TYPE_CHECKING:
    from gateway.state.redis import RedisStore

__all__ = ["PASSWORD_VARIABLE", "hide_password", "open_hints", "open_redis", "open_store", "place_on_disk"]

PASSWORD_VARIABLE = "WEIR_REDIS_PASSWORD"
"""The environment variable with the password of the Redis server."""


def place_on_disk(settings: Settings) -> Path:
    """Return the path after which this host's files are named: the state file, or what lies there for Redis."""
    return settings.redis.folder / settings.redis.namespace if is_redis(settings.state) else Path(settings.state)


def hide_password(settings: Settings, environ: MutableMapping[str, str]) -> Settings:
    """Move a password from the address into the environment, which only this user's processes can read."""
    if not is_redis(settings.state):
        return settings
    address, password = split_password(settings.state)
    if password:
        environ[PASSWORD_VARIABLE] = password
    return replace(settings, state=address)


def open_store(settings: Settings, environ: Mapping[str, str]) -> StateStore:
    """Return the store. Redis is not asked yet; the password comes from the environment, or else from its file.

    Raises
    ------
    StoreUnavailable
        The state file cannot be opened.
    DocumentInvalid
        The file with the password cannot be read.
    """
    if not is_redis(settings.state):
        return SqliteStore(Path(settings.state))
    # Only here: a gateway on SQLite does not import the client of Redis.
    from gateway.state.last_known import LastKnownFile
    from gateway.state.remembering import RememberingStore

    place = place_on_disk(settings)
    file = LastKnownFile(place.with_name(place.name + ".last-known"))
    return RememberingStore(open_redis(settings, environ), file, SystemClock())


def open_hints(settings: Settings, environ: Mapping[str, str]) -> Hints | None:
    """Return where commits are told of, over a connection of its own; nothing for a file, which tells nobody.

    Raises
    ------
    DocumentInvalid
        The file with the password cannot be read.
    """
    return open_redis(settings, environ) if is_redis(settings.state) else None


def open_redis(settings: Settings, environ: Mapping[str, str]) -> RedisStore:
    from gateway.state.redis import RedisStore

    chosen = settings.redis
    address, password = split_password(settings.state)
    return RedisStore(
        address,
        password=password or environ.get(PASSWORD_VARIABLE, "") or _password_in(chosen.password_file),
        namespace=chosen.namespace,
        timeout_s=chosen.timeout_s,
        ca_file=None if chosen.ca_file is None else str(chosen.ca_file),
    )


def _password_in(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        raise DocumentInvalid(str(path), [Fault("", "value", "a file with the password", found)]) from error
