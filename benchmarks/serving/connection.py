"""One keep-alive connection of the load generator: a raw non-blocking socket and just enough HTTP/1.1."""

from __future__ import annotations

import socket

__all__ = ["Answer", "Connection", "ConnectionLost", "answer_bounds"]

Answer = tuple[int, bytes]
_RECEIVE_BYTES = 262_144
_END, _LENGTH, _LAST_CHUNK = b"\r\n\r\n", b"\r\ncontent-length:", b"\r\n0\r\n\r\n"


class ConnectionLost(Exception):
    """The server closed or reset a connection."""


class Connection:
    """A socket that sends a prepared request, or several in one piece, and gathers what is answered.

    It connects without waiting: a server whose backlog is full would stop the whole generator for a second. The socket
    is writable when it is connected or refused.

    Parameters
    ----------
    pipelined
        How many requests go out at once, one behind the other.

    Attributes
    ----------
    row : int
        Which of the generator's rows went out last; until then, those before which it is to begin.
    sent_at_s : float
        When the requests in flight were due; latency counts from here, also when the generator was late to send them.
    answers : list
        Status, body and head (first line and headers) of each answer to the newest requests, as far as they have come.
    """

    __slots__ = ("_buffer", "_socket", "answers", "busy", "fileno", "pipelined", "row", "sent_at_s")

    def __init__(self, port: int, row: int = 0, *, pipelined: int = 1) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._socket.connect_ex(("127.0.0.1", port))
        self.fileno = self._socket.fileno()
        self.row, self.pipelined = row, pipelined
        self._buffer = b""
        self.answers: list[tuple[int, bytes, bytes]] = []
        self.busy = False
        self.sent_at_s = 0.0

    @property
    def answer(self) -> Answer:
        """Status and body of the newest answer; 0 while there is none."""
        return self.answers[-1][:2] if self.answers else (0, b"")

    @property
    def ok(self) -> int:
        """How many of the newest answers are a 200."""
        return sum(answer[0] == 200 for answer in self.answers)

    def send(self, requests: bytes, due_s: float) -> None:
        """Send ``pipelined`` whole requests; they are smaller than the socket's buffer, so one call takes them whole.

        Raises
        ------
        ConnectionLost
            The server has closed.
        """
        self.busy, self.sent_at_s = True, due_s
        try:
            if self._socket.send(requests) != len(requests):
                raise ConnectionLost
        except OSError as error:
            raise ConnectionLost from error

    def receive(self) -> bool:
        """Read what came; return whether all is answered, and is then in ``answers``.

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
        if len(self.answers) == self.pipelined:
            self.answers = []
        at = 0
        while (bounds := answer_bounds(data, at)) is not None and len(data) >= bounds[1]:
            body, stop = bounds
            self.answers.append((int(data[at + 9 : at + 12]), data[body:stop], data[at:body]))
            at = stop
        self._buffer = data[at:]
        if len(self.answers) < self.pipelined:
            return False
        self.busy = False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def answer_bounds(data: bytes, at: int = 0) -> tuple[int, int] | None:
    """Return where the body of the answer at ``at`` begins and ends, as far as known; a chunked one by its last chunk.

    Examples
    --------
    >>> answer_bounds(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
    (38, 40)
    """
    body = data.find(_END, at) + len(_END)
    if body < len(_END):
        return None
    found = data.find(_LENGTH, at, body)
    if found < 0:  # mostly spelled small: to look in a copy costs as much as all the rest
        found = data[:body].lower().find(_LENGTH, at)
    if found >= 0:
        found += len(_LENGTH)
        return body, body + int(data[found : data.find(b"\r", found)])
    last = data.find(_LAST_CHUNK, body - 2)
    return None if last < 0 else (body, last + len(_LAST_CHUNK))
