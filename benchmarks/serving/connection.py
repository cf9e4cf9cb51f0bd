"""One keep-alive connection of the load generator: a raw non-blocking socket and just enough HTTP/1.1."""

from __future__ import annotations

import socket

__all__ = ["Answer", "Connection", "ConnectionLost", "answer_bounds"]

Answer = tuple[int, bytes]
_RECEIVE_BYTES = 262_144


class ConnectionLost(Exception):
    """The server closed or reset a connection."""


class Connection:
    """A socket that sends one prepared request at a time and gathers its answer.

    It connects without waiting: a server whose backlog is full would stop the whole generator for a second. The socket
    is writable when it is connected or refused.

    Attributes
    ----------
    sent_at_s : float
        When the request in flight was due; latency counts from here, also when the generator was late to send it.
    answer : tuple
        Status and body of the newest answer.
    head : bytes
        The newest answer's first line and headers.
    """

    __slots__ = ("_buffer", "_socket", "answer", "busy", "fileno", "head", "request", "row", "sent_at_s")

    def __init__(self, port: int, request: bytes, row: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._socket.connect_ex(("127.0.0.1", port))
        self.fileno = self._socket.fileno()
        self.request, self.row = request, row
        self._buffer = b""
        self.answer: Answer = (0, b"")
        self.head = b""
        self.busy = False
        self.sent_at_s = 0.0

    def send(self, due_s: float) -> None:
        """Send the request; it is smaller than the socket's buffer, so one call takes it whole.

        Raises
        ------
        ConnectionLost
            The server has closed.
        """
        self.busy, self.sent_at_s = True, due_s
        try:
            if self._socket.send(self.request) != len(self.request):
                raise ConnectionLost
        except OSError as error:
            raise ConnectionLost from error

    def receive(self) -> bool:
        """Read what came; return whether the answer is complete, and is then in ``answer``.

        Raises
        ------
        ConnectionLost
            The server closed or reset the connection.
        """
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConnectionLost from error
        if not data:
            raise ConnectionLost
        if self._buffer:
            data = self._buffer + data
        if (end := answer_bounds(data)) is None or len(data) < end[1]:
            self._buffer = data
            return False
        self._buffer = b""
        self.answer = (int(data[9:12]), data[end[0] : end[1]])
        self.head = data[: end[0]]
        self.busy = False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def answer_bounds(data: bytes) -> tuple[int, int] | None:
    """Return where the body of an answer begins and ends, as far as known; a chunked body ends with its last chunk.

    Examples
    --------
    >>> answer_bounds(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
    (38, 40)
    """
    body = data.find(b"\r\n\r\n") + 4
    if body < 4:
        return None
    head = data[:body].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return body, body + int(head[at + 17 : head.find(b"\r", at + 17)])
    last = data.find(b"\r\n0\r\n\r\n", body - 2)
    return None if last < 0 else (body, last + 7)
