"""A small HTTP server in a thread, whose answers and silence a test decides."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

__all__ = ["Answering", "answer"]


def answer(status: int, body: bytes = b"{}", *headers: bytes) -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [b"HTTP/1.1 %d Said" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Answering:
    """Answers the i-th request, counted from 0 over all connections, with ``say(i)``; ``None`` closes the connection.

    Nothing is answered before ``together`` requests have come. A request is small enough to come in one piece.
    ``by_socket`` has the number of requests that came by each, ``asked`` the requests.
    """

    def __init__(self, say: Callable[[int], bytes | None], *, together: int = 1) -> None:
        self._say, self._together = say, together
        self.requests = self.connections = 0
        self.by_socket = Counter[int]()
        self.asked: list[bytes] = []
        self._waiting: deque[tuple[int, socket.socket]] = deque()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.port: int = self._listener.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Answering:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(10)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.01):
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._read(key.fileobj)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self.connections += 1
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            asked = connection.recv(65_536)
        except ConnectionError:
            asked = b""
        if not asked:
            self._leave(connection)
            return
        self.by_socket[connection.fileno()] += 1
        self.asked.append(asked)
        self._waiting.append((self.requests, connection))
        self.requests += 1
        while self._waiting and self.requests >= self._together:
            self._answer(*self._waiting.popleft())

    def _answer(self, number: int, connection: socket.socket) -> None:
        if (said := self._say(number)) is None:
            self._leave(connection)
        elif connection.fileno() >= 0:
            with suppress(ConnectionError):  # the client may have left
                connection.sendall(said)

    def _leave(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()
