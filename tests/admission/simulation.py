"""A worker in miniature, in simulated time: passes of an event loop, a model on it or beside it, clients in front."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.admission.deadline import NORMAL
from gateway.admission.gate import TICK_S, Gate


@dataclass(slots=True)
class Model:
    """What a run, each row of it, an answer's work on the loop, and a refusal cost.

    With more than ``crowd`` in flight what is done for one of them has left the caches when its turn comes again: its
    work on the loop takes ``crowded`` times as long.
    """

    run_s: float
    row_s: float
    loop_s: float
    is_inline: bool
    most_rows: int = 128
    refusal_s: float = 4.5e-6
    crowd: int = 400
    crowded: float = 1.0
    slower: Callable[[float], float] = lambda _now_s: 1.0

    def seconds(self, rows: int, now_s: float) -> float:
        return (self.run_s + self.row_s * rows) * self.slower(now_s)


def small() -> Model:
    return Model(5e-6, 1e-6, 14e-6, is_inline=True)


def mlp() -> Model:
    return Model(1.45e-3, 0.25e-3, 14e-6, is_inline=False)


@dataclass(slots=True)
class Result:
    """Answers and refusals: when the request was due, when it was settled, its priority."""

    answered: list[tuple[float, float, int]] = field(default_factory=list)
    refused: list[tuple[float, float, int]] = field(default_factory=list)

    def rate(self, since_s: float, until_s: float) -> float:
        """Return the answers a second in a stretch of time."""
        return sum(since_s <= done_s < until_s for _, done_s, _ in self.answered) / (until_s - since_s)

    def latency_s(self, q: float, since_s: float, until_s: float) -> float:
        """Return a quantile of the latency of what was due in a stretch of time."""
        latencies_s = [done_s - due_s for due_s, done_s, _ in self.answered if since_s <= due_s < until_s]
        return float(np.quantile(latencies_s, q)) if latencies_s else float("inf")

    def share(self, priority: int, since_s: float) -> float:
        """Return which share of the requests of a priority was answered."""
        answered, refused = (
            sum(p == priority and due_s >= since_s for due_s, _, p in ended) for ended in (self.answered, self.refused)
        )
        return answered / (answered + refused)

    def refusals(self, since_s: float = 0.0, until_s: float = 1e9) -> int:
        return sum(since_s <= due_s < until_s for due_s, _, _ in self.refused)


def bursts(steps: Sequence[tuple[float, float]], seed: int = 1) -> list[float]:
    """Return arrival times with gamma gaps, coefficient of variation 2; each step is (requests a second, seconds)."""
    rng = np.random.default_rng(seed)
    times: list[float] = []
    start_s = 0.0
    for rate, seconds in steps:
        gaps = rng.gamma(0.25, 4.0 / rate, int(rate * seconds * 1.3) + 100) if rate else np.zeros(0)
        at = start_s + np.cumsum(gaps)
        times.extend(at[at < start_s + seconds].tolist())
        start_s += seconds
    return times


class Worker:
    """One simulated worker behind its gate."""

    def __init__(self, model: Model, gate: Gate) -> None:
        self.model, self.gate = model, gate
        self.now_s = 0.0
        self.result = Result()
        self._clients: list[tuple[float, int]] = []
        self._waiting: deque[tuple[float, float, int]] = deque()
        self._running: list[tuple[float, float, int]] = []
        self._done_s = float("inf")
        self._tick_s = TICK_S
        self._again_s: float | None = None
        self.stalls: list[tuple[float, float]] = []

    def open_loop(self, arrivals_s: Sequence[float], until_s: float, low_every: int = 0) -> Result:
        """Take requests at given times, whatever became of those before; every n-th is low, a fifth high."""
        self._clients = [
            (at_s, 2 if low_every and n % low_every == 0 else 0 if low_every and n % 5 == 1 else NORMAL)
            for n, at_s in enumerate(arrivals_s)
        ]
        return self._turn(until_s)

    def closed_loop(self, connections: int, until_s: float, retry_s: float = 0.001) -> Result:
        """Keep one request in flight on each connection; a refused one comes back soon."""
        self._clients = [(0.0001 * n, NORMAL) for n in range(connections)]
        self._again_s = retry_s
        return self._turn(until_s)

    def _turn(self, until_s: float) -> Result:
        heapq.heapify(self._clients)
        while self.now_s < until_s:
            coming_s = self._clients[0][0] if self._clients else float("inf")
            self.now_s = max(self.now_s, min(coming_s, self._done_s, self._tick_s))
            self._pass()
        return self.result

    def _pass(self) -> None:
        began_s = self.now_s
        if self.stalls and began_s >= self.stalls[0][0]:
            self.now_s += self.stalls.pop(0)[1]
        if began_s >= self._tick_s:
            self.gate.tick(self.now_s)
            self._tick_s = self.now_s + TICK_S
        if began_s >= self._done_s:
            self._settle(self._running)
            self._running, self._done_s = [], float("inf")
        while self._clients and self._clients[0][0] <= began_s:
            self._read(*heapq.heappop(self._clients))
        self._run()

    def _read(self, due_s: float, priority: int) -> None:
        if self.gate.enter(priority):
            self._waiting.append((due_s, self.now_s, priority))
            self.now_s += self._half_s()
        else:
            self.now_s += self.model.refusal_s
            self.result.refused.append((due_s, self.now_s, priority))
            if self._again_s is not None:
                heapq.heappush(self._clients, (self.now_s + self._again_s, priority))

    def _run(self) -> None:
        model = self.model
        while self._waiting and not self._running:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), model.most_rows))]
            seconds = model.seconds(len(batch), self.now_s)
            if model.is_inline:
                self.now_s += seconds
                self._settle(batch)
            else:
                self._running, self._done_s = batch, self.now_s + seconds

    def _half_s(self) -> float:
        """Return half of the work on the loop: to read a request, or to answer it."""
        model = self.model
        return model.loop_s / 2 * (model.crowded if self.gate.in_flight > model.crowd else 1.0)

    def _settle(self, batch: list[tuple[float, float, int]]) -> None:
        for due_s, received_s, priority in batch:
            self.now_s += self._half_s()
            self.gate.leave_all(1, self.now_s - received_s, on_loop=self.model.is_inline)
            self.result.answered.append((due_s, self.now_s, priority))
            if self._again_s is not None:
                heapq.heappush(self._clients, (self.now_s + 0.0002, priority))
