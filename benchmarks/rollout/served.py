"""A canary step of 5 % on one real worker: pipeline, lanes, tap and evidence in this process, time is the wall's.

Nothing is made up but the callers: they are a closed loop, and each asks under the key of somebody else, of Zipf
popularity, whose rows are always the same. What a worker sends to the watch goes straight into the evidence.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.rollout.watched import Books, Pair, Watching
from benchmarks.serving.models import perceptron, rows, small
from gateway.arms import ArmKeeper
from gateway.call import Call
from gateway.catalog.bundle import read_bundle
from gateway.clock import SystemClock
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.errors import WeirError
from gateway.failure_feed import FailureFeed
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import Settings
from gateway.standstill_feed import StandstillFeed
from gateway.tap import Tap
from monitors.records import Guards, LatencyGuard, TrialSpec
from monitors.trials.tripwire import KeyTripwire

__all__ = ["GUARDS", "MODELS", "Served", "loaded_pair", "serve"]

GUARDS = {
    "default": Guards(),
    "1.25, 5 ms": Guards(latency=LatencyGuard(ratio=1.25, slack_ms=5.0)),
}
MODELS: dict[str, Callable[[], Any]] = {"small": small, "perceptron": partial(perceptron, 2, 512)}
CALLERS, KEYS, DRAWS, WEIGHT_BP, STEPS = 64, 100_000, 300_000, 500, 3
LOOK_S, FLUSH_S, WORKERS = 0.25, 0.1, 4
_REFUSED_S = 0.01


@dataclass(frozen=True, slots=True)
class Served:
    """What one step was like: by arm, and, by the guards it was looked at with, which gates ever aborted it."""

    kind: str
    seed: int
    keys: int
    sheds: int
    fallbacks: int
    has_tripped: bool
    requests: dict[str, int]
    runs: dict[str, int]
    p50_ms: dict[str, float]
    p95_ms: dict[str, float]
    aborted: dict[str, list[str]] = field(default_factory=dict)

    def rows_a_run(self, arm: str) -> float:
        """Return the mean size of an arm's batches, each request of one row; 0 for one that answered nothing."""
        return self.requests.get(arm, 0) / max(1, self.runs.get(arm, 0))


def loaded_pair(folder: Path, name: str) -> Pair:
    """Write one model as two versions, and load both as a worker does, each measured by itself."""
    found: dict[tuple[str, str], ServableVersion] = {}
    for version in "12":
        home = folder / name / version
        home.mkdir(parents=True)
        (home / "model.onnx").write_bytes(MODELS[name]().SerializeToString())
        found["m", version] = load_version(read_bundle(home, model="m", version=version), serving=Settings().serving)
    return found


def serve(kind: str, pair: Pair, seed: int, *, seconds: float, pause_s: float = 0.0) -> Served:
    """Serve a canary step of 5 %; each caller pauses for so long in the mean between an answer and its next request."""
    with TemporaryDirectory() as folder:
        step = _Step(Path(folder), pair, seed, pause_s)
        asyncio.run(step.serve(seconds))
        return step.told(kind)


class _Step:
    """One canary step of 5 %, on one worker of four."""

    def __init__(self, folder: Path, pair: Pair, seed: int, pause_s: float) -> None:
        self._counters = SharedCounters.create(folder, "w", role="worker", capacity=65_536)
        self._pair, self._seed, self._asked = pair, seed, 0
        rng, salt = np.random.default_rng(seed), f"salt-{seed}"
        popularity_k: npt.NDArray[np.float64] = np.cumsum(1.0 / np.arange(1, KEYS + 1))
        drawn_n = np.searchsorted(popularity_k / popularity_k[-1], rng.random(DRAWS))
        self._keys: list[int] = np.minimum(drawn_n, KEYS - 1).tolist()
        self._pauses_s: list[float] = (rng.exponential(1.0, DRAWS) * pause_s).tolist()
        bodies = rows(256).astype(float).tolist()
        self._bodies = [json.dumps({"instances": [row]}).encode() for row in bodies]
        self._route = RouteDocument("m", 1, "1", salt, CanaryRoute("2", WEIGHT_BP))
        settings = self._settings = Settings()
        spec = TrialSpec(
            rollout="r",
            model="m",
            stable="1",
            candidate="2",
            stage="canary",
            steps=STEPS,
            weight_bp=WEIGHT_BP,
            slow_s=settings.serving.canary_slice_ms / 1e3,
        )
        self._books = Books({label: replace(spec, guards=guards) for label, guards in GUARDS.items()}, pair)
        clock, salt_of_keys = SystemClock(), b"k"
        self._tap = Tap(
            self._books,
            _as_it_is,
            self._counters,
            clock,
            worker="w",
            rows_per_s=settings.monitor.rows_per_s,
            key_salt=salt_of_keys,
        )
        self._feed = FailureFeed(
            self._books,
            _as_it_is,
            self._counters,
            clock,
            worker="w",
            key_salt=salt_of_keys,
            per_s=settings.prediction_log.failures_per_s,
        )
        self._standstills = StandstillFeed(self._books, _as_it_is, clock, worker="w", every_s=FLUSH_S)
        self._watching = Watching(self._tap, self._feed)

    async def serve(self, seconds: float) -> None:
        """Serve, and look at the evidence meanwhile."""
        ends_at = perf_counter() + seconds
        loop, limits = asyncio.get_running_loop(), self._settings.limits
        tripwires = partial(KeyTripwire, WORKERS)
        keeper = ArmKeeper(loop, self._counters, self._settings, tripwires=tripwires, keeps=self._standstills.keep)
        pipeline = Pipeline(self._watching, queue_rows=limits.queue_rows, timeout_s=limits.request_timeout_s)
        pipeline.table = keeper.build({"m": self._route}, self._pair)
        async with asyncio.TaskGroup() as group:
            looks = group.create_task(self._look())
            callers = [group.create_task(self._ask(pipeline, ends_at)) for _ in range(CALLERS)]
            await asyncio.wait(callers)
            looks.cancel()
        self._flush()
        self._books.judge()
        keeper.close()
        self._counters.close()

    async def _ask(self, pipeline: Pipeline, ends_at: float) -> None:
        """Ask, pause, and ask again, as one caller does."""
        while (now := perf_counter()) < ends_at:
            self._asked += 1
            at = self._asked % DRAWS
            key, pause_s = self._keys[at], self._pauses_s[at]
            body = self._bodies[key % len(self._bodies)]
            try:
                await pipeline.predict(Call("m", None, "plain", body, str(self._asked), now, key=str(key)))
            except WeirError:
                pause_s = max(pause_s, _REFUSED_S)
            if pause_s:
                await asyncio.sleep(pause_s)

    async def _look(self) -> None:
        looked_at = perf_counter()
        while True:
            await asyncio.sleep(FLUSH_S)
            self._flush()
            if perf_counter() - looked_at >= LOOK_S:
                looked_at = perf_counter()
                self._books.judge()

    def _flush(self) -> None:
        self._standstills.tick()
        self._tap.flush()
        self._feed.flush()

    def told(self, kind: str) -> Served:
        """Say what it was like."""
        seen = self._watching
        quantiles = {arm: np.quantile(found or [0.0], [0.5, 0.95]) * 1e3 for arm, found in seen.totals_s.items()}
        return Served(
            kind=kind,
            seed=self._seed,
            keys=self._books.keys,
            sheds=seen.sheds,
            fallbacks=seen.fallbacks,
            has_tripped=seen.has_tripped,
            requests=dict(seen.requests),
            runs=dict(seen.runs),
            p50_ms={arm: round(float(found[0]), 3) for arm, found in quantiles.items()},
            p95_ms={arm: round(float(found[1]), 3) for arm, found in quantiles.items()},
            aborted={label: sorted(gates) for label, gates in self._books.aborted.items()},
        )


def _as_it_is(record: Any) -> Any:
    return record
