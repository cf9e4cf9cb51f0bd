"""The failure feed: requests that a version failed, on their way to the prediction log. Never waits, samples, drops."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import perf_counter

from gateway.arm import Arm
from gateway.call import Call
from gateway.errors import DeadlineExceeded, NotFound, Overloaded, QueueFull, RequestInvalid, WeirError
from gateway.metrics.shared import SharedCounters
from gateway.routing.split import key_hash
from gateway.routing.table import ModelRoute
from gateway.sampling import RateSampler
from monitors.ports import Clock, FrameSink
from monitors.records import Failure, Failures, FailureStatus

__all__ = ["FailureFeed"]

_MOST_HELD = 500
_MOST_SAMPLERS = 1_024
_LONGEST_NAME = 128
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class FailureFeed:
    """Collect sampled failures by version and role, and send them as frames. Lives on the loop.

    Parameters
    ----------
    encode
        Turns a block into a frame.
    key_salt
        Salt of the routing-key hashes, at most 64 bytes.
    per_s
        Failures a second passed on at most, for each version in each role, and for requests that found none.
    """

    def __init__(
        self,
        channel: FrameSink,
        encode: Callable[[Failures], bytes],
        counters: SharedCounters,
        clock: Clock,
        *,
        worker: str,
        key_salt: bytes,
        per_s: int,
    ) -> None:
        self._channel, self._encode, self._clock = channel, encode, clock
        self._worker, self._key_salt, self._per_s = worker, key_salt, per_s
        self._passed_over = counters.counter("weir_prediction_log_dropped_total", reason="sampled_out")
        self._dropped = counters.counter("weir_prediction_log_dropped_total", reason="channel_full")
        self._samplers: dict[tuple[str, str, str], RateSampler] = {}
        self._held: list[Failure] = []

    def take(self, call: Call, arm: Arm | None, why: WeirError | str) -> None:
        """Sample a failure: an error that goes to the client, or the word for what stable answers instead."""
        now_s = self._clock.unix_s()
        sampler = self._sampler(arm)
        if not sampler.keep(1, now_s) or len(self._held) >= _MOST_HELD:
            self._passed_over.inc()
            return
        self._held.append(self._failure(call, arm, why, now_s, sampler.ratio))

    def passes_over(self, count: int = 1) -> bool:
        """Pass over failures that no version saw; false, and nothing done, where one is to be given to ``take``."""
        if not self._sampler(None).passes_over(count, self._clock.unix_s(), requests=count):
            return False
        self._passed_over.inc(count)
        return True

    def flush(self) -> None:
        """Send what is collected; called every tenth of a second by the owner."""
        if self._held:
            block = Failures(self._worker, tuple(self._held))
            self._held.clear()
            if not self._channel.send(self._encode(block)):
                self._dropped.inc(len(block.failures))

    def _sampler(self, arm: Arm | None) -> RateSampler:
        name = ("", "", "") if arm is None else (arm.model, arm.version, arm.variant)
        sampler = self._samplers.get(name)
        if sampler is None:
            if len(self._samplers) >= _MOST_SAMPLERS:
                self._samplers.pop(next(iter(self._samplers)))
            sampler = self._samplers[name] = RateSampler(self._per_s, seed=0)
        return sampler

    def _failure(self, call: Call, arm: Arm | None, why: WeirError | str, now_s: float, ratio: float) -> Failure:
        route: ModelRoute | None = call.route  # a call that failed early has none yet
        return Failure(
            request_id=_plain(call.request_id),
            failed_at=now_s,
            model=arm.model if arm else _plain(call.model or ""),
            version=arm.version if arm else "",
            digest=arm.servable.digest if arm else "",
            variant=arm.variant if arm else None,
            route_revision=route.revision if route else 0,
            key_hash=key_hash(self._key_salt, call.key) if call.key else 0,
            status=_status(why),
            reason=why if isinstance(why, str) else _kebab(why),
            duration_s=perf_counter() - call.received_at,
            sampled_ratio=ratio,
        )


def _plain(told: str) -> str:
    """Return a client's word short, and such that it can be sent."""
    return told[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def _status(why: WeirError | str) -> FailureStatus:
    if isinstance(why, str):
        return "masked"
    if isinstance(why, DeadlineExceeded):
        return "timeout"
    if isinstance(why, QueueFull | Overloaded):
        return "shed"
    return "client_error" if isinstance(why, RequestInvalid | NotFound) else "server_error"


def _kebab(error: WeirError) -> str:
    """Return the kind of an error as a word; its text may quote what the client sent."""
    return _WORD.sub("-", type(error).__name__).lower()
