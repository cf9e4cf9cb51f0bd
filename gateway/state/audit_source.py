"""Opens the audit chain that the settings name, for reading alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.audit.stored import AuditSource
from gateway.settings import Settings
from gateway.state.address import is_redis
from gateway.state.opening import open_redis
from gateway.state.sqlite_audit import SqliteAudit

__all__ = ["open_audit"]


def open_audit(settings: Settings, environ: Mapping[str, str]) -> AuditSource:
    """Return the chain of the state store, without what mends or remembers it.

    Raises
    ------
    StoreUnavailable
        There is no state file.
    DocumentInvalid
        The file with the password of Redis cannot be read.
    """
    if not is_redis(settings.state):
        return SqliteAudit(Path(settings.state))
    from gateway.state.redis_audit import RedisAudit  # only here: others do not import the client of Redis

    return RedisAudit(open_redis(settings, environ))
