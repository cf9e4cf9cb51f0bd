"""The shadow feed: requests that stable answered, with its answer, on their way to the shadow process.

What travels is the request's own body, so that a shadow version decodes it by its own contract; the worker spends
nothing on it but a copy into the channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gateway.call import Call
from gateway.codec.decoders import encoded
from gateway.metrics.shared import SharedCounters
from gateway.shadow_jobs import ShadowJob
from monitors.ports import Clock, FrameSink

__all__ = ["ShadowFeed"]


class ShadowFeed:
    """Collect sampled requests and send them in frames; too large or a full channel is dropped and counted.

    Parameters
    ----------
    soon
        Has a function called some milliseconds later, on the loop: ``flush``, for the first request that is collected.
    """

    def __init__(
        self,
        channel: FrameSink,
        encode: Callable[[Sequence[ShadowJob]], bytes],
        counters: SharedCounters,
        clock: Clock,
        *,
        soon: Callable[[Callable[[], None]], object],
        frame_bytes: int = 64 * 1024,
        body_bytes: int = 1024 * 1024,
    ) -> None:
        self._channel, self._encode, self._counters, self._clock, self._soon = channel, encode, counters, clock, soon
        self._frame_bytes, self._body_bytes = frame_bytes, body_bytes
        self._jobs: list[ShadowJob] = []
        self._held_bytes = 0

    def take(self, call: Call, *, is_shed: bool = False) -> None:
        """Offer one answer of the stable version to the shadows that sample it; one that is shed counts as dropped."""
        route = call.route
        shadows = tuple(shadow.version for shadow in route.shadows if shadow.takes(call.request_id))
        if not shadows:
            return
        body = b"" if is_shed else encoded(call.body)
        if is_shed or len(body) > self._body_bytes:
            self._drop(call.model or route.model, shadows)
            return
        if not self._jobs:
            self._soon(self.flush)
        arm, outputs, n = call.arm, call.outputs, call.decoded.n
        scores_nk = outputs.scores_nk
        self._jobs.append(
            ShadowJob(
                route.model,
                shadows,
                arm.version,
                call.protocol,
                body,
                call.request_id,
                self._clock.unix_s(),
                tuple(str(c) for c in arm.contract.outputs.classes),
                arm.servable.reader.label_codes(outputs, n),
                np.empty((n, 0)) if scores_nk is None else scores_nk.astype(np.float64),
                call.json_bytes,
            )
        )
        self._held_bytes += len(body)
        if self._held_bytes >= self._frame_bytes:
            self.flush()

    def flush(self) -> None:
        """Send what is collected."""
        if not self._jobs:
            return
        if not self._channel.send(self._encode(self._jobs)):
            for job in self._jobs:
                self._drop(job.model, job.shadows)
        self._jobs = []
        self._held_bytes = 0

    def _drop(self, model: str, shadows: Sequence[str]) -> None:
        for version in shadows:
            self._counters.counter("weir_shadow_requests_total", model=model, version=version, result="dropped").inc()
