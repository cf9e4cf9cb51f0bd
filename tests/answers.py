"""Answers made without a loop or a pipeline, for tests of what watches them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from gateway.arm import Arm
from gateway.arms import ArmKeeper
from gateway.batching.jobs import Run
from gateway.call import Call
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import SharedCounters
from gateway.routing.table import ModelRoute
from gateway.settings import Settings
from monitors.records import Variant
from tests.serving import TRIPWIRES


class Arms:
    """Counters, and arms that count there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.counters = SharedCounters.create(directory, "w", role="worker")
        self._loop = asyncio.new_event_loop()
        self._keeper = ArmKeeper(self._loop, self.counters, Settings(), tripwires=TRIPWIRES)

    def arm(self, servable: ServableVersion, variant: Variant = "stable") -> Arm:
        return self._keeper.arm(servable, variant)

    def close(self) -> None:
        self._keeper.close()
        self._loop.close()
        self.counters.close()


def answer_of(
    arm: Arm,
    instances: Sequence[Any],
    *,
    request_id: str = "r",
    key: str | None = None,
    revision: int = 1,
    protocol: Literal["plain", "v2"] = "plain",
) -> Call:
    """Return what an arm answers to these rows."""
    body = json.dumps({"instances": list(instances)}).encode()
    call = Call(arm.model, None, protocol, body, request_id, 0.0, key)
    call.arm, call.route = arm, ModelRoute(arm.model, revision, arm)
    call.decoded = decoded = arm.decoders.decode("plain", body)
    call.run = Run(0.0, 0.1, arm.servable.run(decoded.feeds, decoded.n), None)
    call.queued_at, call.total_s = 0.0, 0.25
    return call


def stacked_answers(arm: Arm, batch: Sequence[Sequence[Sequence[float]]], revisions: Sequence[int]) -> list[Call]:
    """Return what one run of an arm answers to several requests whose rows were put together, ``r0`` and so on."""
    decoders = arm.decoders
    bodies = [json.dumps({"instances": instances}).encode() for instances in batch]
    pending = [decoders.plain.pending(body) for body in bodies]
    stacked = decoders.stack(pending)
    assert stacked is not None
    run = Run(0.0, 0.1, arm.servable.run(stacked[0], len(stacked[1])), stacked[1])
    calls, start = [], 0
    for i, (body, decoded, revision) in enumerate(zip(bodies, pending, revisions, strict=True)):
        call = Call(arm.model, None, "plain", body, f"r{i}", 0.0)
        call.arm, call.route, call.decoded, call.run = arm, ModelRoute(arm.model, revision, arm), decoded, run
        call.start, call.queued_at, call.total_s = start, 0.0, i
        start += decoded.n
        calls.append(call)
    return calls
