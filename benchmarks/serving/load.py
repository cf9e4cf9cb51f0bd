"""The load generator: one busy-polling thread of raw sockets, closed loop or open loop.

It never sleeps: a sleeping client must be woken by the server, on the server's core, which would be charged to the
server. ``idle`` says which share of its time found no answer waiting; near zero it is the generator that is measured.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from benchmarks.serving.connection import Connection
from benchmarks.serving.sockets import Sockets
from benchmarks.serving.tally import Load

__all__ = ["Observe", "closed_loop", "open_loop", "rotating_loop"]

Observe = Callable[[Connection, float], None]
"""Takes the connection with its answer, and the seconds since the request was due."""

_MOST_CONNECTIONS = 8_192
_OPENED = 512
_CONNECT_LIMIT_S = 3.0
_ACCEPT_S = 0.0005
"""Time for the server to accept a connection: the kernel has connected it long before, and requests would wait."""
_SLIP_S = 0.005
_SWEEP_S = 0.1


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector's pauses out of the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def closed_loop(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    *,
    wait_s: float = 0.0,
    pipelined: int = 1,
) -> Load:
    """Keep ``pipelined`` requests in flight on each connection, the next ones sent when all of them are answered.

    ``wait_s`` above 0 lets the generator sleep for an answer.
    """
    load = Load()
    with _no_collection():
        started_s = time.perf_counter()
        sockets = Sockets(port, requests, load, wait_s=wait_s, pipelined=pipelined)
        stop_s = started_s + seconds
        latencies_s, clock = load.latencies_s, time.perf_counter
        while clock() < stop_s:
            for connection in sockets.answered():
                now_s = clock()
                latencies_s.extend([now_s - connection.sent_at_s] * connection.ok)
                sockets.ask(connection, now_s)
            while sockets.ready:
                sockets.ask(sockets.ready.popleft(), clock())
            while len(sockets.by_fileno) < connections:
                sockets.open()
        sockets.close(started_s)
    load.offered, load.good = sum(load.statuses.values()), load.statuses[200]
    return load


def rotating_loop(
    port: int,
    requests: Sequence[bytes],
    busy: int,
    seconds: float,
    *,
    opened: int,
    around: AbstractContextManager[object],
    pipelined: int = 1,
) -> Load:
    """Keep ``busy`` of many connections at work: the next one to ask is always that which has rested longest.

    ``around`` is entered when the connections are open, and left before they are closed.
    """
    load = Load()
    with _no_collection():
        sockets = Sockets(port, requests, load, pipelined=pipelined)
        sockets.open_many(opened, limit_s=_CONNECT_LIMIT_S, settle_s=opened * _ACCEPT_S)
        ready, latencies_s, clock = sockets.ready, load.latencies_s, time.perf_counter
        with around:
            started_s = clock()
            stop_s = started_s + seconds
            for _ in range(min(busy, len(ready))):
                sockets.ask(ready.popleft(), clock())
            while clock() < stop_s:
                for connection in sockets.answered():
                    now_s = clock()
                    latencies_s.extend([now_s - connection.sent_at_s] * connection.ok)
                    ready.append(connection)
                    sockets.ask(ready.popleft(), now_s)
        sockets.close(started_s)
    load.offered, load.good = sum(load.statuses.values()), load.statuses[200]
    return load


def open_loop(
    port: int,
    requests: Sequence[bytes],
    arrivals_s: Sequence[float],
    deadline_s: float,
    *,
    opened: int = _OPENED,
    most: int = _MOST_CONNECTIONS,
    observe: Observe | None = None,
    pipelined: int = 1,
) -> Load:
    """Send ``pipelined`` requests at each arrival, when it is due, whatever came of those before.

    Some hundreds of clients are connected when it begins. Connections are reused; where all are busy another one is
    opened, so that requests wait in the server and not here: only above ``most`` they do, and are counted as ``held``.
    Latency counts from when a request was due. One that has no answer twice the deadline after that is given up, its
    connection closed. A generator that is itself too slow puts the rest of the schedule back (``slipped_s``), which
    offers less and does not pass its own delay off as the server's. Where one request at a time is more work for the
    generator than for the server, several can be sent at once, down one connection: they are answered in order, and
    the latency of each is that of the last.
    """
    load = Load(offered=len(arrivals_s) * pipelined)
    with _no_collection():
        sockets = Sockets(port, requests, load, pipelined=pipelined)
        sockets.open_many(opened, limit_s=_CONNECT_LIMIT_S, settle_s=opened * _ACCEPT_S)
        _OpenLoop(sockets, load, arrivals_s, deadline_s, most, observe).run()
    load.seconds = arrivals_s[-1] + load.slipped_s
    load.statuses[0] = load.offered - sum(count for status, count in load.statuses.items() if status)
    return load


class _OpenLoop:
    """One stretch of open loop: what is due, what waits for a connection, what was given up."""

    def __init__(
        self,
        sockets: Sockets,
        load: Load,
        arrivals_s: Sequence[float],
        deadline_s: float,
        most: int,
        observe: Observe | None,
    ) -> None:
        self._sockets, self._load, self._deadline_s = sockets, load, deadline_s
        self._most, self._observe = most, observe
        self._arrivals_s, self._arrived = arrivals_s, 0
        self._waiting: deque[float] = deque()
        self._began_s = self._swept_s = 0.0

    def run(self) -> None:
        """Offer everything; end when each request has its answer or was given up."""
        clock = time.perf_counter
        started_s = self._began_s = self._swept_s = clock()
        while not self._is_over(now_s := clock()):
            self._take_due(now_s)
            self._send()
            for connection in self._sockets.answered():
                self._note(connection, clock())
            if now_s - self._swept_s > _SWEEP_S:
                self._swept_s = now_s
                self._give_up(now_s - 2 * self._deadline_s)
        self._sockets.close(started_s)

    def _is_over(self, now_s: float) -> bool:
        if self._arrived < len(self._arrivals_s):
            return False
        last_s = self._began_s + self._arrivals_s[-1]
        return now_s > last_s + 2 * self._deadline_s or sum(self._load.statuses.values()) >= self._load.offered

    def _take_due(self, now_s: float) -> None:
        arrivals_s, began_s, i = self._arrivals_s, self._began_s, self._arrived
        if i < len(arrivals_s) and (behind_s := now_s - began_s - arrivals_s[i]) > _SLIP_S:
            self._load.slipped_s += behind_s
            self._began_s = began_s = began_s + behind_s
        while i < len(arrivals_s) and began_s + arrivals_s[i] <= now_s:
            self._waiting.append(began_s + arrivals_s[i])
            i += 1
        self._arrived = i

    def _send(self) -> None:
        sockets, waiting = self._sockets, self._waiting
        while waiting and sockets.ready:
            connection = sockets.ready.popleft()
            if sockets.by_fileno.get(connection.fileno) is connection:
                sockets.ask(connection, waiting.popleft())
        while sockets.connecting < len(waiting) and len(sockets.by_fileno) < self._most:
            sockets.open()
        self._load.held = max(self._load.held, len(waiting) - sockets.connecting)

    def _note(self, connection: Connection, now_s: float) -> None:
        took_s = now_s - connection.sent_at_s
        ok = connection.ok
        self._load.latencies_s.extend([took_s] * ok)
        if took_s <= self._deadline_s and now_s <= self._began_s + self._arrivals_s[-1]:
            self._load.good += ok
        if self._observe is not None:
            self._observe(connection, took_s)
        self._sockets.ready.append(connection)

    def _give_up(self, before_s: float) -> None:
        while self._waiting and self._waiting[0] < before_s:
            self._waiting.popleft()
            self._load.statuses[0] += self._load.offered // len(self._arrivals_s)
        for connection in [c for c in self._sockets.by_fileno.values() if c.busy and c.sent_at_s < before_s]:
            self._sockets.lose(connection)
