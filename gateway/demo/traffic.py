"""Clients: real requests through the public API, at a steady rate, with every answer counted."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

import httpx
import numpy as np

from gateway.demo.data import Row
from gateway.demo.incident import Transform, unchanged

__all__ = ["Answer", "Tally", "Traffic"]

RECONNECT_EVERY = 20
"""Requests of a lane on one connection: workers share the port, and only a new connection may reach another worker."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as a client sees it. ``error`` is empty, an HTTP status, or the name of a transport error."""

    started_at: float
    finished_at: float
    error: str
    variant: str = ""
    version: str = ""
    revision: int = 0


@dataclass(slots=True)
class Tally:
    """Counts of answers; latencies are kept for the last 4,096 only."""

    requests: int = 0
    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=4096))

    def add(self, answer: Answer, rows: int) -> None:
        """Count one answer to a request of ``rows`` rows."""
        self.requests += 1
        self.rows += rows
        self.latencies_s.append(answer.finished_at - answer.started_at)
        if answer.error:
            self.errors[answer.error] += 1
        else:
            self.answers[answer.variant, answer.version] += 1

    @property
    def failed(self) -> int:
        """Requests that got an error or no answer."""
        return self.errors.total()

    def latency_ms(self, quantile: float) -> float:
        """Return a quantile of the recent latencies in milliseconds; 0 before the first answer."""
        return float(np.quantile(self.latencies_s, quantile) * 1000) if self.latencies_s else 0.0


class Traffic:
    """A bounded number of lanes, each sending one request after the other at its share of the rate.

    A lane whose request was slow does not catch up, so a slow gateway gets less traffic instead of a queue. Nothing is
    retried: every failure is an error that a client saw.

    Parameters
    ----------
    client
        HTTP client with the gateway's base URL.
    requests
        Rows of one request each, without end.
    model
        The model to ask.
    rate_per_s
        Requests per second over all lanes; may be set while running.
    lanes
        Requests in flight at most.
    users
        Number of routing keys; the popularity of the r-th is as ``r ** -0.6``, so none has more than 2 % of it.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        requests: Iterator[list[Row]],
        *,
        model: str,
        rate_per_s: float,
        lanes: int = 16,
        users: int = 2_000,
        seed: int = 13,
    ) -> None:
        self.rate_per_s = rate_per_s
        self.transform: Transform = unchanged
        self.total = Tally()
        self.on_answer: Callable[[Answer], None] | None = None
        self._client = client
        self._requests = requests
        self._path = f"/predict/{model}"
        self._lanes = lanes
        popularity_u = np.arange(1, users + 1) ** -0.6
        self._users_u = np.cumsum(popularity_u / popularity_u.sum())
        self._generator = np.random.default_rng(seed)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in range(self._lanes):
                group.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: int) -> None:
        due_at = monotonic() + lane / self.rate_per_s
        sent = lane
        while True:
            await asyncio.sleep(due_at - monotonic())
            sent += 1
            await self._send(last=sent % RECONNECT_EVERY == 0)
            due_at = max(due_at + self._lanes / self.rate_per_s, monotonic())

    async def _send(self, *, last: bool) -> None:
        instances = [self.transform(row) for row in next(self._requests)]
        headers = {"x-route-key": f"user-{np.searchsorted(self._users_u, self._generator.random())}"}
        if last:
            headers["connection"] = "close"
        started_at = monotonic()
        try:
            response = await self._client.post(self._path, json={"instances": instances}, headers=headers)
        except httpx.TransportError as error:
            answer = Answer(started_at, monotonic(), type(error).__name__)
        else:
            answer = _read(response, started_at)
        self.total.add(answer, len(instances))
        if self.on_answer is not None:
            self.on_answer(answer)


def _read(response: httpx.Response, started_at: float) -> Answer:
    if response.is_error:
        return Answer(started_at, monotonic(), str(response.status_code))
    headers = response.headers
    return Answer(
        started_at,
        monotonic(),
        "",
        variant=headers["x-variant"],
        version=headers["x-model-version"],
        revision=int(headers["x-route-revision"]),
    )
