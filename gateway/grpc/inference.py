"""Inference: one request and its answer, and streams of them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from typing import Any

from tritonclient.grpc import service_pb2

from gateway.admission.deadline import Urgency, of_headers, of_parameters
from gateway.admission.door import Door
from gateway.call import Call
from gateway.errors import WeirError
from gateway.grpc.answering import answered_by, response_of
from gateway.grpc.reading import plain_parameters, read_request
from gateway.grpc.rpc import Rpc
from gateway.grpc.statuses import refusal
from gateway.grpc.streams import Streams
from gateway.http.reading import header
from gateway.pipeline import Predictor

__all__ = ["Inference"]

_log = logging.getLogger("weir.grpc")
Write = Callable[[Any], Awaitable[None]]


class Inference:
    """The RPCs that ask models. On the event loop.

    Parameters
    ----------
    key_header
        Name of the metadata that carries the routing key.
    """

    def __init__(self, pipeline: Predictor, door: Door, streams: Streams, *, key_header: str) -> None:
        self._pipeline, self._door, self._streams = pipeline, door, streams
        self._key_header = key_header.lower().encode("ascii")

    async def infer(self, request: Any, rpc: Rpc) -> Any:
        """Answer one request. A client that cancels takes its call back."""
        call = await self._predict(request, rpc)
        rpc.trailing.extend(answered_by(call).items())
        return response_of(call)

    async def stream(self, requests: AsyncIterator[Any], write: Write, rpc: Rpc) -> None:
        """Answer requests in their order for as long as the client sends some; an error ends none but its own."""
        number = 0

        async def answer(request: Any) -> Any:
            nonlocal number
            number += 1
            return await self._streamed(request, rpc.message(number))

        await self._streams.run(requests, answer, write)

    async def _streamed(self, request: Any, rpc: Rpc) -> Any:
        try:
            call = await self._predict(request, rpc)
            answer = service_pb2.ModelStreamInferResponse(infer_response=response_of(call))
        except WeirError as error:
            return _error(request, refusal(error).message)
        except Exception:
            _log.exception("request %s of a stream failed", rpc.request_id)
            return _error(request, refusal(WeirError()).message)
        parameters = answer.infer_response.parameters
        parameters["triton_final_response"].bool_param = True  # a client may ask for none but the last; each is that
        for name, value in answered_by(call).items():
            parameters[name].string_param = value
        return answer

    async def _predict(self, request: Any, rpc: Rpc) -> Call:
        if not self._door.is_open:
            self._door.pass_through(self._door.client(rpc.headers, rpc.address or None))
        return await self._pipeline.predict(self._call(request, rpc))

    def _call(self, request: Any, rpc: Rpc) -> Call:
        urgency = _urgency(request, rpc)
        key = header(rpc.headers, self._key_header)
        return Call(
            request.model_name or None,
            request.model_version or None,
            "grpc",
            read_request(request),
            rpc.request_id,
            rpc.received_at,
            key=None if key is None else key.decode("latin-1"),
            deadline=inf if urgency.deadline_s is None else rpc.received_at + urgency.deadline_s,
            priority=urgency.priority,
        )


def _urgency(request: Any, rpc: Rpc) -> Urgency:
    """Return how urgent a request is: the earliest of the deadlines that its metadata, its body and gRPC name."""
    urgency = of_headers(rpc.headers)
    if request.parameters:
        urgency = of_parameters(plain_parameters(request.parameters), urgency)
    limits = [limit for limit in (urgency.deadline_s, rpc.remaining_s) if limit is not None]
    return urgency._replace(deadline_s=min(limits, default=None))


def _error(request: Any, message: str) -> Any:
    return service_pb2.ModelStreamInferResponse(
        error_message=message, infer_response=service_pb2.ModelInferResponse(id=request.id)
    )
