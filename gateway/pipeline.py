"""The one-way function: a call comes in, is routed, decoded, queued and run, and its reply goes out exactly once.

Nothing here knows HTTP, awaits, takes a lock or does I/O. Everything happens on the event loop; a run of a heavy
version happens in the lane's executor and comes back to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Literal, Protocol, TypeVar

from gateway.admission.deadline import Urgency
from gateway.admission.gate import LONGEST_RETRY_S, Gate
from gateway.admission.limit import ConcurrencyLimit
from gateway.arm import Arm
from gateway.batching.jobs import LaneExpired, LaneFull, LaneLate, LaneOverdue, Run, RunCutShort, RunTimedOut
from gateway.call import Call, Reply, nobody
from gateway.codec.decoded import Decoded
from gateway.codec.plain import peek_model
from gateway.errors import (
    DeadlineExceeded,
    ExecutionFailed,
    InputRejected,
    ModelNotReady,
    Overloaded,
    QueueFull,
    RequestInvalid,
    Unavailable,
    WeirError,
)
from gateway.routing.split import key_hash
from gateway.routing.table import RouteTable

__all__ = ["AnyCall", "FallbackReason", "Observer", "Pipeline", "Predictor"]

_FULL = {seconds: Overloaded("concurrency_limit", seconds) for seconds in range(1, LONGEST_RETRY_S + 1)}
AnyCall = TypeVar("AnyCall", bound=Call)
FallbackReason = Literal["error", "timeout", "busy", "rejected"]


class Observer(Protocol):
    """Who watches answers: the tap and the shadow feed. Must return at once and never raise."""

    def answered(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
        """See the calls that one run of one arm has answered, after their replies, and how many rows each has."""

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        """See the contract faults of one request, by (feature, kind), and its rows where it was refused for them."""

    def shed(self, reason: str, priority: int, count: int = 1) -> None:
        """See calls given up for want of time or room."""

    def fell_back(self, arm: Arm, reason: FallbackReason) -> None:
        """See a canary fail a request that stable will answer."""

    def tripped(self, arm: Arm, reason: FallbackReason) -> None:
        """See a canary lose its share on this worker, for a failure of this kind."""

    def passes_over_failures(self, count: int) -> bool:
        """Return whether it need not see so many failures that found no arm, and takes them for seen."""

    def failed(self, call: Call, arm: Arm | None, why: WeirError | FallbackReason) -> None:
        """See a call end in an error, or a canary's part in it when stable goes on; no arm where none was found."""


class Predictor(Protocol):
    """Who answers calls: the pipeline, or what stands before it."""

    async def predict(self, call: Call) -> Call:
        """Await the answer of a call; raise its ``WeirError``."""


class Pipeline:
    """The data plane of one worker. Lives on the event loop; ``table`` is replaced whole when routes change."""

    def __init__(
        self, observer: Observer, *, gate: Gate | None = None, queue_rows: int = 20_000, timeout_s: float = 30.0
    ) -> None:
        self.table = RouteTable()
        self.observer = observer
        self.gate = gate or Gate(ConcurrencyLimit(), now_s=perf_counter())
        self.queue_rows, self.timeout_s = queue_rows, timeout_s
        self._leaving: list[tuple[int, float]] | None = None

    def submit(self, call: Call, reply: Reply | None = None) -> Call:
        """Take a call; ``reply``, or the one it has, is called exactly once, on the loop, perhaps before this returns.

        Returns
        -------
        Call
            The same one, for ``cancel()``, after which there is no reply.
        """
        call.owner = self
        if reply is not None:
            call.reply = reply
        if not self.gate.enter(call.priority):
            self._shed(call)
            return call
        latest = call.received_at + self.timeout_s
        if call.deadline > latest:
            call.deadline = latest
        try:
            self._begin(call)
        except WeirError as error:
            self._fail(call, error)
        except BaseException:  # a bug: whoever called is told, and the call does not stay in flight for ever
            call.cancel()
            raise
        return call

    def takes_together(self, model: str | None) -> bool:
        """Return whether ``submit_all`` is for the plain calls of a model now.

        They run on the loop, at the end of the pass in which they came: what runs in a thread gathers over passes. No
        call is routed or decoded by itself, and none refused.
        """
        if self.gate.is_shedding:
            return False
        route = self.table.routes.get(model or "")
        if route is None or route.canary_bp or route.key_feature is not None or (arm := route.stable) is None:
            return False
        return arm.decoders.plain.takes_together and not arm.lane.leaves_loop

    def submit_all(self, calls: Sequence[AnyCall], alone: Callable[[AnyCall], None]) -> None:
        """Take plain calls for one named model that came together, of normal priority and without a deadline.

        What is the same for all is done once, so that a call costs a tenth less. Where there is more to be seen to, be
        it a fault, a new route or want of room, calls are given to ``alone``, which is to submit them one by one.
        """
        gate, model = self.gate, calls[0].model
        if not self.takes_together(model) or not gate.enter_all(len(calls)):
            for call in calls:
                alone(call)
            return
        route = self.table.find(model)
        arm = route.stable_arm()
        began_at = perf_counter()
        decoded = arm.decoders.plain.pending_all([call.body for call in calls])
        decode_s, timeout_s = (perf_counter() - began_at) / len(calls), self.timeout_s
        queued = []
        for call, found in zip(calls, decoded, strict=True):
            if found is None:
                gate.abandon()
                alone(call)
                continue
            call.owner, call.route, call.arm, call.decoded = self, route, arm, found
            call.deadline, call.queued_at = call.received_at + timeout_s, call.received_at + decode_s
            queued.append(call)
        if queued and not arm.lane.submit_all(queued):
            for call in queued:
                gate.abandon()
                alone(call)

    def run_now(self, call: Call) -> None:
        """Run at once what waits on the loop for a call's version: the worker is full, none can join it. Once a pass.

        In an overload a pass brings several times what it lets in: once the rest is read and refused, nothing of those
        let in is left in the processor's caches. Those answered count as in flight until the pass is over, or as many
        again would be let in by it.
        """
        lane = call.arm.lane
        if self._leaving is None and not lane.leaves_loop:
            asyncio.get_running_loop().call_soon(self._leave)
            self._leaving = []
            try:
                lane.run_now()
            except Exception as exc:  # a bug: it is not to keep the connection that was just read from its answers
                _report(exc)

    def _leave(self) -> None:
        """Count out, when the pass is over, who was answered within it."""
        leaving, self._leaving = self._leaving or [], None
        for answered, latency_sum_s in leaving:
            self.gate.leave_all(answered, latency_sum_s, on_loop=True)

    def turns_away(self, model: str | None, priority: int, count: int = 1) -> Overloaded | None:
        """Refuse requests that came together before anything is made of them, not even calls, and count them.

        ``None``, and nothing done, where one of them may come in. The error is shared: it is to be told, not raised. Of
        failures that somebody wants to see, calls are made.
        """
        gate = self.gate
        if gate.has_room(priority) or not self.observer.passes_over_failures(count):
            return None
        gate.refuse(count)
        self.observer.shed("concurrency_limit", priority, count)
        self._count_shed(model, count)
        return _FULL[gate.retry_after_s()]

    async def predict(self, call: Call) -> Call:
        """Await the answer of a call; raise its ``WeirError``. Cancelling the awaiting task cancels the call."""
        future: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self.submit(call, partial(_resolve, future))
        try:
            return await future
        except asyncio.CancelledError:
            call.cancel()
            raise

    def abandoned(self) -> None:
        """Count out a call that nobody waits for any more."""
        self.gate.abandon()

    def _shed(self, call: Call) -> None:
        """Refuse a call before anything is spent on it."""
        reply = call.reply
        call.close()
        error = Overloaded("concurrency_limit", self.gate.retry_after_s())
        self.observer.shed(error.reason, call.priority)
        self._count_shed(call.model)
        self.observer.failed(call, None, error)
        reply(call, error)

    def _count_shed(self, model: str | None, count: int = 1) -> None:
        """Count refusals to the stable version, from which whoever was refused has got no answer."""
        table = self.table
        route = table.routes.get(model or table.default_model or "")
        if route is not None and route.stable is not None:
            route.stable.metrics.shed.inc(count)

    def _begin(self, call: Call) -> None:
        """Route, decode and queue; a key that is a feature needs the rows first."""
        model = call.model
        if model is None and call.protocol == "plain":
            model = peek_model(call.body)
        call.route = route = self.table.find(model)
        if call.version is not None:
            arm = route.pin(call.version)
        elif call.key is None and route.key_feature is not None:
            self._queue_by_feature(call, route.key_feature)
            return
        else:
            arm = route.choose(call.key or call.request_id)
        call.arm = arm
        try:
            decoded = arm.decoders.by_protocol[call.protocol](call.body, call.json_bytes)
        except RequestInvalid as refusal:
            self._refused(call, refusal)
            return
        self._queue(call, arm, decoded)

    def _queue_by_feature(self, call: Call, feature: str) -> None:
        """Choose the arm by a feature of the first row, as stable reads it."""
        call.arm = stable = call.route.stable_arm()
        decoded = stable.decoders.decode(call.protocol, call.body, call.json_bytes)
        call.key = stable.feature_key(decoded, feature)
        call.arm = arm = call.route.choose(call.key or call.request_id)
        if not arm.decodes_like(stable):
            try:
                decoded = arm.decoders.decode(call.protocol, call.body, call.json_bytes)
            except RequestInvalid as refusal:
                self._refused(call, refusal)
                return
        self._queue(call, arm, decoded)

    def settle(self, call: Call) -> bool:
        """Judge a call's pending rows by themselves, when a batch has some that need a policy."""
        try:
            call.decoded = call.arm.decoders.settle(call.decoded, call.body)
        except RequestInvalid as refusal:
            try:
                self._refused(call, refusal)
            except WeirError as error:
                self._fail(call, error)
            return False
        return True

    def _refused(self, call: Call, refusal: RequestInvalid) -> None:
        """Let stable judge what a canary refused. Where stable refuses it too the fault is the client's."""
        arm, stable = call.arm, call.route.stable_arm()
        if arm.variant != "canary" or arm.decodes_like(stable):
            try:
                raise refusal
            finally:
                del refusal  # its traceback has this frame, and each would keep the other, with the call
        call.arm = stable
        decoded = stable.decoders.decode(call.protocol, call.body, call.json_bytes)
        if isinstance(refusal, InputRejected):
            self.observer.faulted(arm, refusal.counts, refused_rows=refusal.rows)
        self._fall_back(call, arm, "rejected", decoded)

    def _queue(self, call: Call, arm: Arm, decoded: Decoded) -> None:
        call.decoded, call.queued_at = decoded, perf_counter()
        if decoded.urgency is not None:
            self._hurry(call, decoded.urgency)
        try:
            arm.lane.submit(call)
        except (LaneFull, LaneLate, LaneOverdue) as refusal:
            if arm.variant == "canary":
                self._fall_back(call, arm, "busy", strikes=not isinstance(refusal, LaneLate))
                return
            raise self._error(call, refusal) from refusal
        if call.deadline < call.received_at + self.timeout_s and arm.variant != "canary" and arm.lane.leaves_loop:
            self._watch(call, arm)

    def _hurry(self, call: Call, urgency: Urgency) -> None:
        """Take note of what the body says of its haste, which nobody knew at the gate."""
        call.deadline = min(call.deadline, urgency.deadline_at(call.received_at, self.timeout_s))
        is_lower = urgency.priority > call.priority
        call.priority = urgency.priority
        if is_lower and self.gate.in_flight > self.gate.limits[urgency.priority]:
            self.gate.refuse()
            raise Overloaded("concurrency_limit", self.gate.retry_after_s())

    def _watch(self, call: Call, arm: Arm) -> None:
        """Answer at the deadline, whatever a run in a thread does."""
        left_s = call.deadline - call.queued_at
        call.timer = asyncio.get_running_loop().call_later(left_s, self._expire, call, arm)

    def _expire(self, call: Call, arm: Arm) -> None:
        if not call.cancelled:
            waited_s = call.deadline - call.received_at
            self._fail(call, DeadlineExceeded(arm.model, waited_s, has_started=call.has_started))

    def _fall_back(
        self,
        call: Call,
        canary: Arm,
        reason: FallbackReason,
        decoded: Decoded | None = None,
        *,
        strikes: bool = True,
    ) -> None:
        """Answer from stable what the canary failed; raise ``WeirError`` where stable cannot either.

        That a client is in more haste than a canary's time slice is no fault of the canary's, and does not strike.
        What costs the worker time strikes at once; another failure is evidence, once stable has answered.
        """
        self.observer.fell_back(canary, reason)
        self.observer.failed(call, canary, reason)
        if reason not in ("timeout", "busy"):
            call.reply = partial(self._mended, canary, reason, call.reply)
        elif strikes and canary.strike(perf_counter()):
            self.observer.tripped(canary, reason)
        call.is_fallback = True
        call.arm = stable = call.route.stable_arm()
        if decoded is None:
            is_same = canary.decodes_like(stable)
            decoded = call.decoded if is_same else stable.decoders.decode(call.protocol, call.body, call.json_bytes)
        self._queue(call, stable, decoded)

    def _mended(self, canary: Arm, reason: FallbackReason, reply: Reply, call: Call, outcome: Call | WeirError) -> None:
        """Reply, and hold a failure against the canary unless stable failed the same request too."""
        reply(call, outcome)
        if not isinstance(outcome, WeirError) and outcome.outputs.is_finite and canary.fails(_key_hash(call)):
            self.observer.tripped(canary, reason)

    def _failed_by_stable(self, call: Call) -> None:
        """Tell the tripwire of the canary beside it; a request that the canary failed first tells nothing."""
        canary = call.route.canary
        if canary is not None and canary.tripwire is not None and not call.is_fallback:
            canary.tripwire.fail(_key_hash(call), by_candidate=False)

    def deliver(self, calls: Sequence[Call], result: Run | Exception) -> None:
        """Take what a lane says of a batch; the calls have one arm. Callers see no error of another's reply."""
        arm = calls[0].arm
        if isinstance(result, Exception):
            for call in calls:
                if not call.cancelled:
                    self._failed(call, result)
        elif arm.variant == "canary":
            self._answer(arm, [call for call in self._placed(calls, result) if self._is_sound(call)], result)
        else:
            self._answer(arm, self._placed(calls, result), result)

    def _placed(self, calls: Sequence[Call], run: Run) -> list[Call]:
        """Tell each call where its rows are; return those that somebody waits for."""
        if len(calls) == 1:  # all that came out is its own, however many rows that is
            calls[0].run, calls[0].start = run, None
        else:
            start = 0
            for call in calls:
                call.run, call.start = run, start
                start += call.decoded.n
        return [call for call in calls if not call.cancelled]

    def _is_sound(self, call: Call) -> bool:
        """Return whether a canary's answer may go out; stable mends one that is not finite."""
        if call.run.outputs.is_finite or call.outputs.is_finite:
            if call.arm.strikes:
                call.arm.forgive(call.queued_at)
            return True
        self._mend(call, "error")
        return False

    def _answer(self, arm: Arm, calls: Sequence[Call], run: Run) -> None:
        """Count the calls of a run together, then reply to each."""
        if not calls:
            return
        metrics, rows_of = arm.metrics, [call.decoded.n for call in calls]
        metrics.ok.inc(len(calls))
        metrics.rows.inc(sum(rows_of))
        if not run.outputs.is_finite:
            metrics.broken.inc(sum(int(call.outputs.broken_n(call.decoded.n).sum()) for call in calls))
            for call in calls:
                if arm.variant == "stable" and not call.outputs.is_finite:
                    self._failed_by_stable(call)
        now = perf_counter()
        latencies_s = [now - call.received_at for call in calls]
        metrics.duration.observe_all(latencies_s)
        is_looked_at = metrics.phases.is_next()
        for call, total_s in zip(calls, latencies_s, strict=True):
            call.total_s, call.cancelled = total_s, True
            if call.timer is not None:
                call.timer.cancel()
            if call.decoded.faults:
                self.observer.faulted(arm, arm.faults_by_name(call.decoded))
        for call in calls[0].reply_together(calls):
            try:
                call.reply(call, call)
            except Exception as exc:
                _report(exc)
        if is_looked_at:
            metrics.phases.observe(calls, run, perf_counter() - now)
        on_loop = not arm.lane.leaves_loop
        if on_loop and self._leaving is not None:
            self._leaving.append((len(calls), sum(latencies_s)))
        else:
            self.gate.leave_all(len(calls), sum(latencies_s), on_loop=on_loop)
        try:
            self.observer.answered(calls, rows_of)
        except Exception as exc:
            _report(exc)

    def _failed(self, call: Call, result: Exception) -> None:
        """Take a run's failure: stable mends a canary's, another goes to the client."""
        if call.arm.variant == "canary" and not isinstance(result, LaneExpired):
            self._mend(call, _reason(result), strikes=not isinstance(result, RunCutShort))
        else:
            self._fail(call, self._error(call, result))

    def _mend(self, call: Call, reason: FallbackReason, *, strikes: bool = True) -> None:
        try:
            self._fall_back(call, call.arm, reason, strikes=strikes)
        except WeirError as error:
            self._fail(call, error)

    def _fail(self, call: Call, error: WeirError) -> None:
        arm: Arm | None = call.arm
        self.observer.failed(call, arm, error)
        if isinstance(error, Overloaded | QueueFull | DeadlineExceeded):
            self.observer.shed(error.reason, call.priority)
        if arm is not None:
            _count(arm, error)
            if arm.variant == "stable" and isinstance(error, ExecutionFailed):
                self._failed_by_stable(call)
            if isinstance(error, InputRejected):
                self.observer.faulted(arm, error.counts, refused_rows=error.rows)
        reply = call.reply
        call.cancel()
        try:
            reply(call, error)
        except Exception as exc:
            _report(exc)

    def _error(self, call: Call, result: Exception) -> WeirError:
        arm = call.arm
        if isinstance(result, LaneFull):
            return QueueFull(arm.model, self.queue_rows)
        if isinstance(result, LaneLate):
            return Overloaded("deadline_unreachable")
        if isinstance(result, LaneExpired):
            return DeadlineExceeded(arm.model, call.deadline - call.received_at, has_started=False)
        if isinstance(result, RunTimedOut):
            return DeadlineExceeded(arm.model, self.timeout_s)
        if isinstance(result, LaneOverdue):
            return ModelNotReady(arm.model, arm.version, "an earlier run is overdue")
        return ExecutionFailed(arm.model, arm.version, str(result))


def _resolve(future: asyncio.Future[Call], call: Call, outcome: Call | WeirError) -> None:
    call.reply = nobody
    if future.done():
        return
    if isinstance(outcome, WeirError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _key_hash(call: Call) -> int:
    """Return the hash that gave the call its arm."""
    return key_hash(call.route.salt, call.key or call.request_id)


def _report(exc: Exception) -> None:
    """Report a reply or an observer that failed: it must not keep its neighbours from theirs."""
    asyncio.get_running_loop().call_exception_handler({"message": "what follows an answer failed", "exception": exc})


def _reason(result: Exception) -> FallbackReason:
    if isinstance(result, RunTimedOut):
        return "timeout"
    return "busy" if isinstance(result, LaneOverdue) else "error"


def _count(arm: Arm, error: WeirError) -> None:
    metrics = arm.metrics
    if isinstance(error, RequestInvalid):
        metrics.client_error.inc()
    elif isinstance(error, DeadlineExceeded):
        metrics.timeout.inc()
    elif isinstance(error, QueueFull | Overloaded):
        metrics.shed.inc()
    elif isinstance(error, Unavailable | ExecutionFailed):
        metrics.server_error.inc()
