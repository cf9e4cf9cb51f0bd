"""A worker's data plane without its processes, for tests of the pipeline over real small models."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from gateway.arm import Arm
from gateway.arms import ArmKeeper
from gateway.call import Call, Reply
from gateway.engine.version import ServableVersion
from gateway.errors import DeadlineExceeded, ModelNotReady, WeirError
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import FallbackReason, Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import ServingSettings, Settings
from monitors.ports import Tripwire
from tests.serving import EAGER, TRIPWIRES, counted, servable_of

__all__ = [
    "FOR_EVER",
    "REJECTING",
    "Check",
    "Ground",
    "Notes",
    "Outcome",
    "dtype_of",
    "eventually",
    "predictions",
    "run",
]

FOR_EVER = 2.0**40
REJECTING = "interface: {features: [{name: x, range: {max: 5}, out_of_range: reject}]}"
Outcome = Call | WeirError


@dataclass
class Notes:
    """An observer that writes down what it sees."""

    answered_by: list[str] = field(default_factory=list)
    faults: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    refused_rows: int = 0
    fallbacks: list[FallbackReason] = field(default_factory=list)
    trips: list[str] = field(default_factory=list)
    tripped_by: list[FallbackReason] = field(default_factory=list)
    sheds: list[tuple[str, int]] = field(default_factory=list)
    passes_over: bool = False
    failures: list[tuple[str, str | None, WeirError | FallbackReason]] = field(default_factory=list)

    def answered(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
        self.answered_by += [call.arm.variant for call in calls]

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        self.refused_rows += refused_rows
        for (feature, kind), rows in counts.items():
            self.faults[(arm.version, feature, kind)] += rows

    def shed(self, reason: str, priority: int, count: int = 1) -> None:
        self.sheds += [(reason, priority)] * count

    def passes_over_failures(self, count: int) -> bool:
        return self.passes_over

    def failed(self, call: Call, arm: Arm | None, why: WeirError | FallbackReason) -> None:
        self.failures.append((call.request_id, arm.variant if arm else None, why))

    def fell_back(self, arm: Arm, reason: FallbackReason) -> None:
        self.fallbacks.append(reason)

    def tripped(self, arm: Arm, reason: FallbackReason) -> None:
        self.trips.append(arm.version)
        self.tripped_by.append(reason)


def keeping(outcomes: list[Outcome]) -> Reply:
    """Return a reply that keeps what became of calls."""
    return lambda _call, outcome: outcomes.append(outcome)


class Ground:
    """A worker's data plane without its processes: versions, routes, and calls on them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "counters").mkdir()
        self._counters = SharedCounters.create(directory / "counters", "w", role="worker", capacity=65_536)
        self.loaded: dict[tuple[str, str], ServableVersion] = {}
        self.routes: dict[str, RouteDocument] = {}
        self.notes = Notes()

    def load(self, version: str, model_bytes: bytes, manifest: str = "", serving: ServingSettings = EAGER) -> None:
        folder = self._directory / version
        self.loaded[("m", version)] = servable_of(folder, model_bytes, manifest=manifest, serving=serving)

    def start(self, settings: Settings | None = None, *, tripwires: Callable[[], Tripwire] = TRIPWIRES) -> None:
        """Build the data plane on the running loop."""
        self.settings = settings or Settings(serving=ServingSettings(canary_slice_ms=10_000))
        self.keeper = ArmKeeper(asyncio.get_running_loop(), self._counters, self.settings, tripwires=tripwires)
        limits = self.settings.limits
        self.pipeline = Pipeline(self.notes, queue_rows=limits.queue_rows, timeout_s=limits.request_timeout_s)

    def route(self, stable: str = "1", canary: str | None = "2", weight: float = 100.0, **more: Any) -> None:
        revision = self.routes["m"].revision + 1 if "m" in self.routes else 1
        document = CanaryRoute(canary, round(weight * 100)) if canary else None
        self.routes["m"] = RouteDocument("m", revision, stable, "salt", document, **more)
        self.publish()

    def publish(self) -> None:
        self.pipeline.table = self.keeper.build(self.routes, self.loaded)

    def call(self, *values: Any, request_id: str = "r", **named: Any) -> Call:
        fields: dict[str, Any] = {"model": "m", "version": None, "key": None, "protocol": "plain"} | named
        body = fields.pop("body", None) or json.dumps({"instances": [{"x": value} for value in values]}).encode()
        return Call(
            fields.pop("model"),
            fields.pop("version"),
            **fields,
            body=body,
            request_id=request_id,
            received_at=perf_counter(),
        )

    async def ask(self, *values: Any, **named: Any) -> Call:
        return await self.pipeline.predict(self.call(*values, **named))

    def submit(self, *values: Any, **named: Any) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.pipeline.submit(self.call(*values, **named), keeping(outcomes))
        return outcomes

    def requests(self) -> dict[tuple[str, str], int]:
        """Return requests counted, by variant and outcome."""
        variants = ("stable", "canary", "pinned", "constant")
        outcomes = ("ok", "client_error", "server_error", "timeout", "shed")
        found = {(v, o): int(self.metric("requests", variant=v, outcome=o)) for v in variants for o in outcomes}
        return {name: count for name, count in found.items() if count}

    def metric(self, name: str, **labels: str) -> float:
        return counted(self._directory / "counters", f"weir_{name}_total", **labels)

    def close(self) -> None:
        if hasattr(self, "keeper"):
            self.keeper.close()
        self._counters.close()


Check = Callable[[], Coroutine[Any, Any, None]]


def run(check: Check) -> None:
    asyncio.run(check())


async def eventually(ask: Callable[[], Coroutine[Any, Any, Call]]) -> Call:
    """Ask until the run that was terminated has come back."""
    async with asyncio.timeout(10):
        while True:
            with suppress(ModelNotReady, DeadlineExceeded):
                return await ask()
            await asyncio.sleep(0.002)


def dtype_of(answer: Call) -> str:
    assert answer.values_nd is not None
    return answer.values_nd.dtype.name


def predictions(answer: Call) -> list[Any]:
    return answer.arm.servable.reader.predictions(answer.outputs)
