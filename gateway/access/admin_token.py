"""The token that a gateway is started with: where it comes from, and the file that is made for it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import DocumentInvalid, Fault

__all__ = ["AdminToken", "find_admin_token", "made_token_path"]

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class AdminToken:
    """The token and, where it lies in a file, its path: the only one of the two that may be printed."""

    secret: str = field(repr=False)
    path: Path | None = None


def find_admin_token(environ: Mapping[str, str], token_file: Path | None, state: Path) -> AdminToken:
    """Take the token from ``WEIR_ADMIN_TOKEN``, else from ``token_file``, else from a file beside the state file.

    The last is made with mode 0600 when it is not there.

    Raises
    ------
    DocumentInvalid
        The file cannot be read or made, or there is nothing in it.
    """
    if secret := environ.get("WEIR_ADMIN_TOKEN", "").strip():
        return AdminToken(secret)
    path = token_file or made_token_path(state)
    try:
        if token_file is None:
            _make(path)
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise _unusable(path, "bytes that are not UTF-8") from error
    if not secret:
        raise _unusable(path, "an empty file")
    return AdminToken(secret, path)


def made_token_path(state: Path) -> Path:
    """Return where the token of a state file lies when nobody gave one."""
    return state.with_name(state.name + ".admin-token")


def _make(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")


def _unusable(path: Path, found: str) -> DocumentInvalid:
    return DocumentInvalid(str(path), [Fault("", "value", "a file with the admin token", found)])
