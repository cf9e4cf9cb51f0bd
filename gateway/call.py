"""A call: what a client asked, and, once it is answered, by whom, under which route and how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Protocol

import msgspec
import numpy.typing as npt

from gateway.admission.deadline import NORMAL
from gateway.arm import Arm
from gateway.batching.jobs import Run
from gateway.codec.decoded import Decoded
from gateway.codec.decoders import BodyProtocol
from gateway.engine.outputs import Outputs
from gateway.errors import WeirError
from gateway.routing.table import ModelRoute

__all__ = ["Call", "Reply", "deliver", "nobody"]


_LATER: Any = None


class CallOwner(Protocol):
    """Who takes a call through: the pipeline."""

    def settle(self, call: Call) -> bool:
        """Turn pending rows into graph inputs; false where they were refused."""

    def abandoned(self) -> None:
        """Count out a call that nobody waits for any more."""

    def deliver(self, calls: Sequence[Call], result: Run | Exception) -> None:
        """Take what became of a batch of one arm's calls."""


class Call(msgspec.Struct, eq=False):
    """One request, on its way and answered. Lanes see it as their job; one object, since a request cannot afford many.

    A ``Struct`` is made in 0.2 us, where a class with slots takes 0.6 us for as many attributes. What a call has not
    come to yet is ``None``.

    Parameters
    ----------
    model, version
        As the client named them; ``None`` for the default model and for the routed version.
    protocol
        Which decoder reads the body.
    body
        What the protocol's reader takes: bytes, or the tensors of a gRPC request.
    key
        Routing key that makes the caller stick to a version; ``None`` for the request id.
    received_at
        ``perf_counter`` when the request began.
    json_bytes
        Length of the JSON at the head of the body where raw tensors follow it (v2).
    deadline
        ``perf_counter`` after which the client has no use for the answer; infinite where it has not said.
    priority
        Of ``gateway.admission.deadline``: who is refused first when the worker is full.

    Attributes
    ----------
    arm, route
        Who answered, under which route; the last that tried where the call failed.
    start
        Index of this call's first row in its run; ``None`` where the run is its own, whatever rows came out.
    total_s
        Seconds from ``received_at`` to the reply.
    is_fallback
        Whether stable answered what a canary failed.
    """

    model: str | None
    version: str | None
    protocol: BodyProtocol
    body: Any
    request_id: str
    received_at: float
    key: str | None = None
    json_bytes: int | None = None
    deadline: float = inf
    priority: int = NORMAL
    cancelled: bool = False
    is_fallback: bool = False
    has_started: bool = False
    timer: asyncio.TimerHandle | None = None
    arm: Arm = _LATER
    decoded: Decoded = _LATER
    owner: CallOwner = _LATER
    queued_at: float = 0.0
    reply: Reply = _LATER
    route: ModelRoute = _LATER
    run: Run = _LATER
    start: int | None = None
    total_s: float = 0.0

    @staticmethod
    def reply_together(calls: Sequence[Call]) -> Sequence[Call]:
        """Reply to those of a run's answered calls for which much is the same; return the others."""
        return calls

    def cancel(self) -> None:
        """Give up, at any time: rows that have not run will not, nobody is told, and neighbours are not affected."""
        if not self.cancelled:
            self.close()
            if self.owner is not None:  # submitted
                self.owner.abandoned()

    def close(self) -> None:
        """Take note that there will be no reply any more."""
        self.cancelled = True
        self.reply = nobody
        if self.timer is not None:
            self.timer.cancel()

    def settle(self) -> bool:
        """Turn pending rows into graph inputs; false where they were refused, and the call is answered with that."""
        return self.owner.settle(self)

    @property
    def span(self) -> slice:
        """Which rows of the run are this call's."""
        start = self.start
        return slice(None) if start is None else slice(start, start + self.decoded.n)

    @property
    def outputs(self) -> Outputs:
        """The outputs of this call's rows."""
        return self.run.outputs.rows(self.span)

    @property
    def values_nd(self) -> npt.NDArray[Any] | None:
        """Raw features before imputation, NaN for missing; ``None`` for a model without features."""
        decoded = self.decoded
        if decoded.cells is None or self.run.values_nd is None:
            return decoded.values_nd
        return self.run.values_nd[self.span]

    @property
    def queue_s(self) -> float:
        """Seconds from the decoded call to its run."""
        return self.run.started_at - self.queued_at

    @property
    def inference_s(self) -> float:
        """Seconds of the run that answered."""
        return self.run.seconds


def nobody(_call: Call, _outcome: Call | WeirError) -> None:
    """Take the reply of a cancelled call."""


Reply = Callable[[Any, Call | WeirError], None]
"""Takes a call, and the same as its outcome where it is answered, or the error that it ended with.

One that leads back to its call, as a future with it as its result does, has to be taken from it, or both live on until
garbage is collected.
"""


def deliver(calls: Sequence[Call], result: Run | Exception) -> None:
    """Tell the owner of a batch's calls what became of it."""
    calls[0].owner.deliver(calls, result)
