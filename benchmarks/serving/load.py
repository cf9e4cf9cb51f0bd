"""The load generator: one busy-polling thread of raw sockets, closed loop or open loop.

It never sleeps: a sleeping client must be woken by the server, on the server's core, which would be charged to the
server. ``idle`` says which share of its time found no answer waiting; near zero it is the generator that is measured.
"""

from __future__ import annotations

import gc
import select
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.serving.connection import Answer, Connection, ConnectionLost

__all__ = ["Load", "closed_loop", "open_loop"]

_MOST_CONNECTIONS = 512


@dataclass(slots=True)
class Load:
    """What came of one stretch of load. ``statuses[0]`` counts lost connections and answers that never came in time."""

    seconds: float = 0.0
    offered: int = 0
    late: int = 0
    idle: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    samples: list[tuple[int, Answer]] = field(default_factory=list)


class _Sockets:
    """The open connections, polled without waiting."""

    def __init__(self, port: int, requests: Sequence[bytes], load: Load) -> None:
        self._port, self._requests, self._load = port, requests, load
        self._epoll = select.epoll()
        self._idle_s, self._looked_s = 0.0, time.perf_counter()
        self._opened = 0
        self.by_fileno: dict[int, Connection] = {}
        self.ready: deque[Connection] = deque()
        self.connecting = 0

    def open(self) -> None:
        """Begin one more connection, which will ask for the next row; it is in ``ready`` when it is connected."""
        row = self._opened % len(self._requests)
        self._opened += 1
        connection = Connection(self._port, self._requests[row], row)
        self._epoll.register(connection.fileno, select.EPOLLOUT)
        self.by_fileno[connection.fileno] = connection
        self.connecting += 1

    def ask(self, connection: Connection, due_s: float) -> None:
        """Send a connection's request, or lose the connection."""
        try:
            connection.send(due_s)
        except ConnectionLost:
            self.lose(connection)

    def lose(self, connection: Connection) -> None:
        """Close a connection; a request in flight on it has no answer."""
        del self.by_fileno[connection.fileno]
        connection.close()
        self._load.statuses[0] += connection.busy

    def answered(self) -> Iterator[Connection]:
        """Give the connections that have a complete answer now."""
        events = self._epoll.poll(0)
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
                self._load.statuses[connection.answer[0]] += 1
                yield connection

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
                self._load.samples.append((connection.row, connection.answer))
            connection.close()
        self._epoll.close()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector's pauses out of the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Keep one request in flight on each connection."""
    load = Load()
    with _no_collection():
        started_s = time.perf_counter()
        sockets = _Sockets(port, requests, load)
        stop_s = started_s + seconds
        latencies_s, clock = load.latencies_s, time.perf_counter
        while (now_s := clock()) < stop_s:
            for connection in sockets.answered():
                now_s = clock()
                if connection.answer[0] == 200:
                    latencies_s.append(now_s - connection.sent_at_s)
                sockets.ask(connection, now_s)
            while sockets.ready:
                sockets.ask(sockets.ready.popleft(), clock())
            while len(sockets.by_fileno) < connections:
                sockets.open()
        sockets.close(started_s)
    load.offered = sum(load.statuses.values())
    return load


def open_loop(port: int, requests: Sequence[bytes], arrivals_s: Sequence[float], deadline_s: float) -> Load:
    """Send each request when it is due, whatever came of those before.

    Connections are reused, and opened up to a limit; a request that finds none waits, and its latency counts from when
    it was due. One that has no answer twice the deadline after it was due is given up, its connection closed.
    """
    load = Load(offered=len(arrivals_s))
    with _no_collection():
        started_s = time.perf_counter()
        sockets = _Sockets(port, requests, load)
        waiting: deque[float] = deque()
        clock, arrived, last_s = time.perf_counter, 0, arrivals_s[-1] + 2 * deadline_s
        swept_s = started_s
        while (now_s := clock()) < started_s + last_s and sum(load.statuses.values()) < len(arrivals_s):
            while arrived < len(arrivals_s) and started_s + arrivals_s[arrived] <= now_s:
                waiting.append(started_s + arrivals_s[arrived])
                arrived += 1
            _send_due(sockets, waiting)
            for connection in sockets.answered():
                _note(load, connection, clock() - connection.sent_at_s, deadline_s)
                sockets.ready.append(connection)
            if now_s - swept_s > 0.05:
                swept_s = now_s
                _give_up(sockets, waiting, now_s - 2 * deadline_s, load)
        sockets.close(started_s)
    load.seconds = arrivals_s[-1]
    load.statuses[0] = len(arrivals_s) - sum(count for status, count in load.statuses.items() if status)
    return load


def _note(load: Load, connection: Connection, took_s: float, deadline_s: float) -> None:
    if connection.answer[0] == 200:
        load.latencies_s.append(took_s)
        load.late += took_s > deadline_s


def _send_due(sockets: _Sockets, waiting: deque[float]) -> None:
    while waiting and sockets.ready:
        connection = sockets.ready.popleft()
        if sockets.by_fileno.get(connection.fileno) is connection:
            sockets.ask(connection, waiting.popleft())
    while sockets.connecting < len(waiting) and len(sockets.by_fileno) < _MOST_CONNECTIONS:
        sockets.open()


def _give_up(sockets: _Sockets, waiting: deque[float], before_s: float, load: Load) -> None:
    while waiting and waiting[0] < before_s:
        waiting.popleft()
        load.statuses[0] += 1
    for connection in [c for c in sockets.by_fileno.values() if c.busy and c.sent_at_s < before_s]:
        sockets.lose(connection)
