"""Clients that keep asking: each with a connection of its own, each exchange remembered with all it says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from types import TracebackType
from typing import Any

__all__ = ["Exchange", "Load"]

_ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came of it. Without an answer ``status`` is 0 and ``error`` names the exception.

    Times are ``time.monotonic()``; ``client`` is the number of the client, ``connection`` that of its connection.
    """

    client: int
    connection: int
    key: str
    started_at: float
    ended_at: float
    status: int = 0
    version: str = ""
    variant: str = ""
    revision: int = 0
    error: str = ""
    body: bytes = b""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_at - self.started_at


class Load:
    """``n`` clients in threads, from entry to exit, each asking again as soon as it has its answer.

    A client opens a new connection when the old one is closed or fails. Where nobody listens it ends.

    Parameters
    ----------
    key_of
        Gives the routing key of a client's i-th request.
    renew_every
        Requests after which a client leaves its connection; workers share the port, so it may then reach another one.
    """

    def __init__(
        self,
        port: int,
        path: str,
        document: Any,
        *,
        n: int,
        key_of: Callable[[int, int], str] = lambda client, i: f"client-{client}-{i % 50}",
        pause_s: float = 0.0,
        renew_every: int | None = None,
    ) -> None:
        self._port, self._path, self._body = port, path, json.dumps(document).encode()
        self._key_of, self._pause_s, self._renew_every = key_of, pause_s, renew_every
        self._stopping = threading.Event()
        self._exchanges: list[list[Exchange]] = [[] for _ in range(n)]
        self._answered = [0] * n
        self._threads = [threading.Thread(target=self._ask, args=(client,), daemon=True) for client in range(n)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every client finish the exchange that it is in."""
        self._stopping.set()
        self.join()

    def join(self) -> None:
        """Wait until every client has ended."""
        for thread in self._threads:
            thread.join(_ANSWER_S + 5.0)
            assert not thread.is_alive(), "a client hangs"

    @property
    def exchanges(self) -> list[Exchange]:
        """All exchanges so far, client by client in the order of time."""
        return [exchange for of_client in self._exchanges for exchange in list(of_client)]

    @property
    def answers(self) -> list[Exchange]:
        """The exchanges that have an answer."""
        return [exchange for exchange in self.exchanges if exchange.status]

    @property
    def failures(self) -> list[Exchange]:
        """The exchanges without an answer, or with another one than 200."""
        return [exchange for exchange in self.exchanges if exchange.status != 200]

    def wait_for(self, further: int, timeout_s: float = 30.0) -> None:
        """Wait until so many further answers have come."""
        aim = sum(self._answered) + further
        deadline = time.monotonic() + timeout_s
        while (missing := aim - sum(self._answered)) > 0:
            assert time.monotonic() < deadline, f"{missing} of {further} answers did not come"
            time.sleep(0.02)

    def _ask(self, client: int) -> None:
        connection, number = HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S), 1
        for i in count():
            exchange, goes_on = self._exchange(connection, client, number, self._key_of(client, i))
            self._exchanges[client].append(exchange)
            self._answered[client] += exchange.status != 0
            if exchange.error == "ConnectionRefusedError" or self._stopping.wait(self._pause_s):
                break
            if not goes_on or (self._renew_every and (i + 1) % self._renew_every == 0):
                connection.close()  # the next request opens it anew
                number += 1
        connection.close()

    def _exchange(self, connection: HTTPConnection, client: int, number: int, key: str) -> tuple[Exchange, bool]:
        started_at = time.monotonic()
        headers = {"content-type": "application/json", "x-route-key": key}
        try:
            connection.request("POST", self._path, self._body, headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            name = type(error).__name__
            return Exchange(client, number, key, started_at, time.monotonic(), error=name), False
        told = response.headers
        exchange = Exchange(
            client,
            number,
            key,
            started_at,
            time.monotonic(),
            response.status,
            told.get("x-model-version", ""),
            told.get("x-variant", ""),
            int(told.get("x-route-revision", "0")),
            body=body,
        )
        return exchange, not response.will_close
