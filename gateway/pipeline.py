"""The one-way function: a call comes in, is routed, decoded, queued and run, and its reply goes out exactly once.

Nothing here knows HTTP, awaits, takes a lock or does I/O. Everything happens on the event loop; a run of a heavy
version happens in the lane's executor and comes back to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import isnan
from time import perf_counter
from typing import Literal, Protocol

import numpy as np

from gateway.arm import Arm
from gateway.batching.lane import LaneFull, LaneOverdue, RunTimedOut
from gateway.codec.decoded import Decoded
from gateway.codec.decoders import BodyProtocol
from gateway.codec.plain import peek_model
from gateway.engine.outputs import Outputs
from gateway.errors import (
    DeadlineExceeded,
    ExecutionFailed,
    InputRejected,
    ModelNotReady,
    QueueFull,
    RequestInvalid,
    Unavailable,
    WeirError,
)
from gateway.routing.table import ModelRoute, RouteTable

__all__ = ["Answer", "Call", "FallbackReason", "Observer", "Pipeline", "Reply", "Ticket"]

_NOTHING = Decoded(0, {}, None)
FallbackReason = Literal["error", "timeout", "busy", "rejected"]


class Call:
    """One request, as a protocol's skin hands it over.

    Parameters
    ----------
    model, version
        As the client named them; ``None`` for the default model and for the routed version.
    protocol
        Which decoder reads the body.
    json_bytes
        Length of the JSON at the head of the body where raw tensors follow it (v2).
    key
        Routing key that makes the caller stick to a version; ``None`` for the request id.
    received_at
        ``perf_counter`` when the request began.
    """

    __slots__ = ("body", "json_bytes", "key", "model", "protocol", "received_at", "request_id", "version")

    def __init__(
        self,
        model: str | None,
        version: str | None,
        *,
        protocol: BodyProtocol,
        body: bytes,
        request_id: str,
        key: str | None,
        received_at: float,
        json_bytes: int | None = None,
    ) -> None:
        self.model, self.version, self.protocol, self.body = model, version, protocol, body
        self.request_id, self.key, self.received_at = request_id, key, received_at
        self.json_bytes = json_bytes


class Answer:
    """What a version answered, and how. Durations are seconds; ``queue_s`` is from the decoded call to its run."""

    __slots__ = ("arm", "call", "decoded", "inference_s", "is_fallback", "outputs", "queue_s", "revision", "total_s")

    def __init__(self, call: Call, arm: Arm, revision: int, decoded: Decoded, outputs: Outputs) -> None:
        self.call, self.arm, self.revision = call, arm, revision
        self.decoded, self.outputs = decoded, outputs
        self.is_fallback = False
        self.queue_s = self.inference_s = self.total_s = 0.0


Reply = Callable[[Answer | WeirError], None]


class Observer(Protocol):
    """Who watches answers: the tap and the shadow feed. Must return at once and never raise."""

    def answered(self, answer: Answer, route: ModelRoute) -> None:
        """See one answer, after its reply."""

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        """See the contract faults of one request, by (feature, kind), and its rows where it was refused for them."""

    def fell_back(self, arm: Arm, reason: FallbackReason, *, tripped: bool) -> None:
        """See a canary fail a request that stable will answer."""


class Ticket:
    """One request on its way; the lanes' view of it is ``gateway.batching.lane.Job``.

    ``cancel`` may be called at any time; then there is no reply.
    """

    __slots__ = (
        "_arm",
        "_call",
        "_fallback",
        "_pipeline",
        "_queued_at",
        "_reply",
        "_route",
        "cancelled",
        "decoded",
        "started_at",
    )

    def __init__(self, pipeline: Pipeline, call: Call, reply: Reply) -> None:
        self._pipeline, self._call, self._reply = pipeline, call, reply
        self._fallback = self.cancelled = False
        self._queued_at = self.started_at = 0.0
        self._arm: Arm | None = None
        self.decoded = _NOTHING

    def cancel(self) -> None:
        """Give up: the rows are not run if they have not been, and nobody is told. Neighbours are not affected."""
        self._reply = _nobody
        self.cancelled = True

    def begin(self) -> None:
        """Route, decode and queue."""
        call = self._call
        try:
            model = call.model
            if model is None and call.protocol == "plain":
                model = peek_model(call.body)
            self._route = route = self._pipeline.table.find(model)
            if call.version is not None:
                arm = route.pin(call.version)
                self._queue(arm, self._decode(arm))
            else:
                self._route_and_queue(route)
        except WeirError as error:
            self._fail(error)

    def _route_and_queue(self, route: ModelRoute) -> None:
        """Choose the arm by key; a key that is a feature needs the rows first."""
        call, decoded = self._call, None
        if call.key is None and route.key_feature is not None:
            stable = route.stable_arm()
            decoded = self._decode(stable)
            call.key = _feature_key(stable, decoded, route.key_feature)
        arm = route.choose(call.key or call.request_id)
        if decoded is None or not arm.decodes_like(route.stable_arm()):
            try:
                decoded = self._decode(arm)
            except RequestInvalid as refusal:
                self._fall_back(arm, "rejected", self._decode_by_stable(arm, refusal))
                return
        self._queue(arm, decoded)

    def _decode_by_stable(self, arm: Arm, refusal: RequestInvalid) -> Decoded:
        """Decode what a canary refused. Where stable refuses it too the fault is the client's, not the canary's."""
        stable = self._route.stable_arm()
        if arm is stable or arm.decodes_like(stable):
            raise refusal
        decoded = self._decode(stable)
        if isinstance(refusal, InputRejected):
            self._pipeline.observer.faulted(arm, refusal.counts, refused_rows=refusal.rows)
        return decoded

    def _decode(self, arm: Arm) -> Decoded:
        self._arm = arm
        call = self._call
        return arm.decoders.decode(call.protocol, call.body, call.json_bytes)

    def _queue(self, arm: Arm, decoded: Decoded) -> None:
        self._arm, self.decoded = arm, decoded
        self._queued_at = perf_counter()
        try:
            arm.lane.submit(self)
        except LaneFull as exc:
            if arm.variant == "canary":
                self._fall_back(arm, "busy")
                return
            raise QueueFull(arm.model, self._pipeline.queue_rows) from exc
        except LaneOverdue as exc:
            if arm.variant == "canary":
                self._fall_back(arm, "busy")
                return
            raise ModelNotReady(arm.model, arm.version, "an earlier run is overdue") from exc

    def deliver(self, result: Outputs | Exception, inference_s: float) -> None:
        """Take the lane's result: an answer, a canary's failure for stable to mend, or an error."""
        arm = self._arm
        assert arm is not None
        if arm.variant == "canary":
            if isinstance(result, Exception) or not result.is_finite:
                try:
                    self._fall_back(arm, _reason(result))
                except WeirError as error:
                    self._fail(error)
                return
            arm.strikes = 0
        if isinstance(result, Exception):
            self._fail(self._error(arm, result))
            return
        answer = Answer(self._call, arm, self._route.revision, self.decoded, result)
        answer.is_fallback = self._fallback
        answer.inference_s = inference_s
        answer.queue_s = self.started_at - self._queued_at
        self._finish(answer)

    def _finish(self, answer: Answer) -> None:
        arm, n = answer.arm, answer.decoded.n
        answer.total_s = perf_counter() - self._call.received_at
        metrics = arm.metrics
        metrics.ok.inc()
        metrics.rows.inc(n)
        metrics.duration.observe(answer.total_s)
        if not answer.outputs.is_finite:
            metrics.broken.inc(int(answer.outputs.broken_n(n).sum()))
        observer = self._pipeline.observer
        if answer.decoded.faults:
            features = arm.contract.features
            observer.faulted(arm, {(features[j].name, kind): rows for j, kind, rows in answer.decoded.faults})
        self._reply(answer)
        observer.answered(answer, self._route)

    def _fall_back(self, canary: Arm, reason: FallbackReason, decoded: Decoded | None = None) -> None:
        """Answer from stable what the canary failed; raise ``WeirError`` where stable cannot either."""
        tripped = canary.strike()
        self._pipeline.observer.fell_back(canary, reason, tripped=tripped)
        self._fallback = True
        stable = self._route.stable_arm()
        if decoded is None:
            decoded = self.decoded if canary.decodes_like(stable) else self._decode(stable)
        self._queue(stable, decoded)

    def _fail(self, error: WeirError) -> None:
        arm = self._arm
        if arm is not None:
            _count(arm, error)
            if isinstance(error, InputRejected):
                self._pipeline.observer.faulted(arm, error.counts, refused_rows=error.rows)
        self._reply(error)

    def _error(self, arm: Arm, result: Exception) -> WeirError:
        if isinstance(result, RunTimedOut):
            return DeadlineExceeded(arm.model, self._pipeline.timeout_s)
        if isinstance(result, LaneOverdue):
            return ModelNotReady(arm.model, arm.version, "an earlier run is overdue")
        return ExecutionFailed(arm.model, arm.version, str(result))


class Pipeline:
    """The data plane of one worker. Lives on the event loop; ``table`` is replaced whole when routes change."""

    def __init__(self, observer: Observer, *, queue_rows: int = 20_000, timeout_s: float = 30.0) -> None:
        self.table = RouteTable()
        self.observer = observer
        self.queue_rows, self.timeout_s = queue_rows, timeout_s

    def submit(self, call: Call, reply: Reply) -> Ticket:
        """Take a call; ``reply`` is called exactly once, on the loop, perhaps before this returns.

        Returns
        -------
        Ticket
            For ``cancel()``, after which there is no reply.
        """
        ticket = Ticket(self, call, reply)
        ticket.begin()
        return ticket

    async def predict(self, call: Call) -> Answer:
        """Await the answer of a call; raise its ``WeirError``. Cancelling the awaiting task cancels the call."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        ticket = self.submit(call, lambda outcome: _resolve(future, outcome))
        try:
            return await future
        finally:
            ticket.cancel()


def _resolve(future: asyncio.Future[Answer], outcome: Answer | WeirError) -> None:
    if future.done():
        return
    if isinstance(outcome, WeirError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _nobody(_outcome: Answer | WeirError) -> None:
    """Take the reply of a cancelled call."""


def _reason(result: Outputs | Exception) -> FallbackReason:
    if isinstance(result, RunTimedOut):
        return "timeout"
    return "busy" if isinstance(result, LaneOverdue) else "error"


def _count(arm: Arm, error: WeirError) -> None:
    metrics = arm.metrics
    if isinstance(error, RequestInvalid):
        metrics.client_error.inc()
    elif isinstance(error, DeadlineExceeded):
        metrics.timeout.inc()
    elif isinstance(error, QueueFull):
        metrics.shed.inc()
    elif isinstance(error, Unavailable | ExecutionFailed):
        metrics.server_error.inc()


def _feature_key(arm: Arm, decoded: Decoded, feature: str) -> str | None:
    """Return the first row's value of a feature as a routing key; ``None`` where it is missing or not a feature."""
    for j, known in enumerate(arm.contract.features):
        if known.name == feature:
            assert decoded.values_nd is not None
            value = float(decoded.values_nd[0, j])
            if isnan(value):
                return None
            return str(np.ravel(decoded.feeds[feature])[0]) if known.dtype == "string" else repr(value)
    return None
