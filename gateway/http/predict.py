"""``POST /predict`` and ``POST /v2/.../infer``: plain ASGI, one read, one pipeline call, one answer."""

from __future__ import annotations

from time import perf_counter
from typing import Literal

import numpy as np

from gateway.codec.plain import PlainAnswer, encode_answer
from gateway.codec.v2 import encode_outputs
from gateway.http.reading import (
    ASGIReceive,
    ASGIScope,
    ASGISend,
    check_json,
    check_json_tensors,
    header,
    read_body,
)
from gateway.pipeline import Answer, Call, Pipeline

__all__ = ["PredictEndpoint", "answer_headers", "plain_body", "v2_body"]


class PredictEndpoint:
    """The inference routes of a worker.

    Parameters
    ----------
    key_header
        Name of the header that carries the routing key.
    body_bytes
        Largest body accepted.
    """

    def __init__(self, pipeline: Pipeline, *, key_header: str, body_bytes: int) -> None:
        self._pipeline = pipeline
        self._key_header = key_header.lower().encode("ascii")
        self._body_bytes = body_bytes

    async def plain(
        self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend, model: str | None, request_id: str
    ) -> None:
        """Answer the plain protocol."""
        check_json(scope["headers"])
        answer = await self._answer(scope, receive, model, None, "plain", request_id)
        await respond(send, 200, plain_body(answer), answer_headers(answer))

    async def v2(
        self,
        scope: ASGIScope,
        receive: ASGIReceive,
        send: ASGISend,
        model: str,
        version: str | None,
        request_id: str,
    ) -> None:
        """Answer the Open Inference Protocol."""
        check_json_tensors(scope["headers"])
        answer = await self._answer(scope, receive, model, version, "v2", request_id)
        await respond(send, 200, v2_body(answer), answer_headers(answer))

    async def _answer(
        self,
        scope: ASGIScope,
        receive: ASGIReceive,
        model: str | None,
        version: str | None,
        protocol: Literal["plain", "v2"],
        request_id: str,
    ) -> Answer:
        started = perf_counter()
        body = await read_body(scope, receive, self._body_bytes)
        key = header(scope["headers"], self._key_header)
        call = Call(
            model,
            version,
            protocol=protocol,
            body=body,
            request_id=request_id,
            key=None if key is None else key.decode("latin-1"),
            received_at=started,
        )
        return await self._pipeline.predict(call)


async def respond(send: ASGISend, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send head and body of a JSON answer."""
    fixed = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body})


def answer_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the headers that say who answered, under which route, and where the time went."""
    timing = b"queue;dur=%.3f, inference;dur=%.3f, total;dur=%.3f" % (
        answer.queue_s * 1e3,
        answer.inference_s * 1e3,
        answer.total_s * 1e3,
    )
    return [
        (b"x-request-id", answer.call.request_id.encode("ascii")),
        (b"x-model-version", answer.arm.version.encode("ascii")),
        (b"x-variant", answer.arm.variant.encode("ascii")),
        (b"x-route-revision", b"%d" % answer.revision),
        (b"server-timing", timing),
    ]


def plain_body(answer: Answer) -> bytes:
    """Return the plain protocol's body."""
    arm, outputs = answer.arm, answer.outputs
    classes = arm.contract.outputs.classes if arm.contract.outputs.probabilities else ()
    scores = outputs.scores_nk
    return encode_answer(
        PlainAnswer(
            answer.call.request_id,
            arm.model,
            arm.version,
            arm.variant,
            arm.servable.reader.predictions(outputs),
            classes or None,
            scores.tolist() if classes and scores is not None else None,
        )
    )


def v2_body(answer: Answer) -> bytes:
    """Return the Open Inference Protocol's body: the requested outputs, all of them when none was named."""
    decoded, servable = answer.decoded, answer.arm.servable
    arrays = dict(zip(servable.outputs, answer.outputs.raw, strict=True))
    wanted = decoded.requested or tuple(arrays)
    return encode_outputs(
        model=servable.model,
        version=servable.version,
        request_id=decoded.echo_id or answer.call.request_id,
        outputs={name: np.asarray(arrays[name]) for name in wanted},
        parameters={},
    )
