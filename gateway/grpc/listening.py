"""How a worker lets go of the gRPC port before its server stops; gRPC itself can only do both at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["stop_listening"]


def stop_listening(port: int) -> int:
    """Let no further connection come to this process on a port; those that are here stay. Return how many sockets were.

    Notes
    -----
    gRPC owns its listening sockets and shows them to nobody, so they are looked for among the files of this process.
    """
    found = 0
    for listener in _sockets():
        with listener, suppress(OSError):
            is_listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if is_listening and listener.family != socket.AF_UNIX and listener.getsockname()[1] == port:
                listener.shutdown(socket.SHUT_RDWR)
                found += 1
    return found


def _sockets() -> Iterator[socket.socket]:
    """Give a copy of every socket of this process."""
    for file in sorted(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if str(file.readlink()).startswith("socket:"):
                yield _copy(int(file.name))


def _copy(fileno: int) -> socket.socket:
    copied = os.dup(fileno)
    try:
        return socket.socket(fileno=copied)
    except OSError:
        os.close(copied)
        raise
