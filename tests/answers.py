"""Answers made without a loop or a pipeline, for tests of what watches them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from gateway.arm import Arm
from gateway.arms import ArmKeeper
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Answer, Call
from gateway.settings import Settings
from monitors.records import Variant


class Arms:
    """Counters, and arms that count there."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.counters = SharedCounters.create(directory, "w", role="worker")
        self._loop = asyncio.new_event_loop()
        self._keeper = ArmKeeper(self._loop, self.counters, Settings())

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
) -> Answer:
    """Return what an arm answers to these rows."""
    body = json.dumps({"instances": list(instances)}).encode()
    call = Call(arm.model, None, protocol=protocol, body=body, request_id=request_id, key=key, received_at=0.0)
    decoded = arm.decoders.decode("plain", body)
    answer = Answer(call, arm, revision, decoded, arm.servable.run(decoded.feeds, decoded.n))
    answer.total_s = 0.25
    return answer
