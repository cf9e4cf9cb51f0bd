"""The open connections of the load generator, polled by one thread."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Iterator, Sequence

from benchmarks.serving.connection import Connection, ConnectionLost
from benchmarks.serving.tally import Load, problem_of

__all__ = ["Sockets"]

_HINT = b"\r\nretry-after:"
_EVENTS = 256
"""Most answers of one look, so that what is due meanwhile is not sent late: a look takes less than 3 ms."""


class Sockets:
    """Connections by state: connecting, ready for a request, waiting for an answer.

    Parameters
    ----------
    port, requests, load
        Whom to ask what, and where what comes of it is counted.
    wait_s
        How long a look may sleep. 0 never sleeps: a sleeping client must be woken by the server, on the server's core.
    pipelined
        How many requests a connection sends at once. They have their answers when all have; a connection that is lost
        before that has lost all of them.
    """

    def __init__(
        self, port: int, requests: Sequence[bytes], load: Load, *, wait_s: float = 0.0, pipelined: int = 1
    ) -> None:
        self._port, self._load, self._wait_s, self._pipelined = port, load, wait_s, pipelined
        self._rows = len(requests)
        self._requests = [
            b"".join(requests[(row - back) % self._rows] for back in reversed(range(pipelined)))
            for row in range(self._rows)
        ]
        self._epoll = select.epoll()
        self._idle_s, self._looked_s = 0.0, time.perf_counter()
        self._opened = 0
        self.by_fileno: dict[int, Connection] = {}
        self.ready: deque[Connection] = deque()
        self.connecting = 0

    def open(self) -> None:
        """Begin one more connection, which will start at the next row; it is in ``ready`` when it is connected."""
        connection = Connection(self._port, self._opened % self._rows - 1, pipelined=self._pipelined)
        self._opened += 1
        self._epoll.register(connection.fileno, select.EPOLLOUT)
        self.by_fileno[connection.fileno] = connection
        self.connecting += 1

    def open_many(self, count: int, *, limit_s: float, settle_s: float) -> None:
        """Open connections, wait until they are connected or ``limit_s`` is over, and then ``settle_s`` more."""
        for _ in range(count):
            self.open()
        until_s = time.perf_counter() + limit_s
        while self.connecting and time.perf_counter() < until_s:
            for _ in self.answered():
                pass
        time.sleep(settle_s)
        self._idle_s, self._looked_s = 0.0, time.perf_counter()

    def ask(self, connection: Connection, due_s: float) -> None:
        """Send the rows behind those that the connection sent before, or lose it.

        Other rows every time: a processor learns the way of the same few through a forest by heart.
        """
        connection.row = row = (connection.row + 1) % self._rows
        try:
            connection.send(self._requests[row], due_s)
        except ConnectionLost:
            self.lose(connection)

    def lose(self, connection: Connection) -> None:
        """Close a connection; what is in flight on it has no answer."""
        del self.by_fileno[connection.fileno]
        connection.close()
        self._load.statuses[0] += connection.busy * self._pipelined

    def answered(self) -> Iterator[Connection]:
        """Give the connections that have all of their answers now."""
        events = self._epoll.poll(self._wait_s, _EVENTS)
        now_s = time.perf_counter()
        if not events:
            self._idle_s += now_s - self._looked_s
        self._looked_s = now_s
        for fileno, event in events:
            connection = self.by_fileno[fileno]
            if event & select.EPOLLOUT:
                self._connected(connection)
                continue
            try:
                complete = connection.receive()
            except ConnectionLost:
                self.lose(connection)
                continue
            if complete:
                self._count(connection)
                yield connection

    def _count(self, connection: Connection) -> None:
        for status, body, head in connection.answers:
            self._load.statuses[status] += 1
            if status != 200:
                self._load.problems[problem_of(status, body)] += 1
                self._load.unhinted += status == 503 and _HINT not in head and _HINT not in head.lower()

    def _connected(self, connection: Connection) -> None:
        self._epoll.modify(connection.fileno, select.EPOLLIN)
        self.connecting -= 1
        self.ready.append(connection)

    def close(self, started_s: float) -> None:
        """Close everything; keep the last answer of each connection as the sample to check."""
        self._load.seconds = time.perf_counter() - started_s
        self._load.idle = self._idle_s / self._load.seconds
        for connection in list(self.by_fileno.values()):
            if connection.answer[0] == 200:
                answered = (connection.row - connection.busy) % self._rows
                self._load.samples.append((answered, connection.answer))
            connection.close()
        self._epoll.close()
