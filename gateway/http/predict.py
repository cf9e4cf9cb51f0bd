"""The inference routes: plain ASGI, one read, one pipeline call, one answer."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from gateway.codec.plain import PlainAnswer, encode_answer, encode_predictions
from gateway.codec.v2 import encode_outputs
from gateway.http.reading import (
    ASGIReceive,
    ASGIScope,
    ASGISend,
    check_json,
    header,
    json_length,
    read_body,
)
from gateway.http.targets import Target
from gateway.pipeline import Answer, Call, Pipeline

__all__ = ["JSON", "Media", "PredictEndpoint", "answer_body", "answer_headers", "answer_lines", "plain_body"]

Media = tuple[tuple[bytes, bytes], ...]
JSON: Media = ((b"content-type", b"application/json"),)
_OCTETS: Media = ((b"content-type", b"application/octet-stream"),)


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

    async def __call__(
        self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend, target: Target, request_id: str
    ) -> None:
        """Answer what an inference route asks for."""
        started, headers = perf_counter(), scope["headers"]
        if target.protocol != "v2":
            check_json(headers)
        key = header(headers, self._key_header)
        call = Call(
            target.model,
            target.version,
            protocol=target.protocol,
            body=await read_body(scope, receive, self._body_bytes),
            request_id=request_id,
            key=None if key is None else key.decode("latin-1"),
            received_at=started,
            json_bytes=json_length(headers) if target.protocol == "v2" else None,
        )
        await respond(send, await self._pipeline.predict(call))


async def respond(send: ASGISend, answer: Answer) -> None:
    """Send head and body of an answer."""
    media, body = answer_body(answer)
    headers = [*media, (b"content-length", b"%d" % len(body)), *answer_headers(answer)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer_body(answer: Answer) -> tuple[Media, bytes]:
    """Return an answer as its call's protocol says it: the headers that tell how to read the body, and the body."""
    protocol = answer.call.protocol
    if protocol == "plain":
        return JSON, plain_body(answer)
    if protocol == "v2":
        return _v2_body(answer)
    return JSON, encode_predictions(answer.arm.servable.reader.predictions(answer.outputs))


def answer_lines(answer: Answer) -> bytes:
    """Return the header lines that say who answered, under which route, and where the time went; one formatting."""
    return (
        b"x-request-id: %b\r\n%bx-route-revision: %d\r\n"
        b"server-timing: queue;dur=%.3f, inference;dur=%.3f, total;dur=%.3f\r\n"
        % (
            answer.call.request_id.encode("ascii"),
            answer.arm.header_lines,
            answer.revision,
            answer.queue_s * 1e3,
            answer.inference_s * 1e3,
            answer.total_s * 1e3,
        )
    )


def answer_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the same as the pairs that ASGI wants."""
    lines = [line.partition(b": ") for line in answer_lines(answer).split(b"\r\n") if line]
    return [(name, value) for name, _, value in lines]


def plain_body(answer: Answer) -> bytes:
    """Return the plain protocol's body."""
    arm, outputs = answer.arm, answer.outputs
    classes = arm.contract.outputs.classes if arm.contract.outputs.probabilities else ()
    return encode_answer(
        PlainAnswer(
            answer.call.request_id,
            arm.model,
            arm.version,
            arm.variant,
            arm.servable.reader.predictions(outputs),
            classes or None,
            outputs.scores_list() if classes else None,
        )
    )


def _v2_body(answer: Answer) -> tuple[Media, bytes]:
    """Return the Open Inference Protocol's answer: the requested outputs, all of them when none was named."""
    decoded, servable = answer.decoded, answer.arm.servable
    arrays = dict(zip(servable.outputs, answer.outputs.raw, strict=True))
    wanted = decoded.requested or tuple(arrays)
    body, json_bytes = encode_outputs(
        model=servable.model,
        version=servable.version,
        request_id=decoded.echo_id or answer.call.request_id,
        outputs={name: np.asarray(arrays[name]) for name in wanted},
        binary=decoded.binary,
    )
    if json_bytes is None:
        return JSON, body
    return (*_OCTETS, (b"inference-header-content-length", b"%d" % json_bytes)), body
