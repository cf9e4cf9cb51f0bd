"""The inference routes: plain ASGI, one read, one pipeline call, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import perf_counter
from typing import NamedTuple

import numpy as np

from gateway.admission.deadline import DEADLINE_HEADER, PRIORITY_HEADER, of_headers
from gateway.admission.door import Door
from gateway.call import Call
from gateway.codec.plain import PlainTexts, encode_predictions
from gateway.codec.v2 import encode_outputs
from gateway.http.cycle import WHOLE
from gateway.http.reading import (
    ASGIReceive,
    ASGIScope,
    ASGISend,
    check_json,
    check_length,
    header,
    json_length,
    rest_of,
    whole_of,
)
from gateway.http.refusals import Headers
from gateway.http.targets import Target
from gateway.http.unpacking import Encoding, encoding_of, unpacked
from gateway.pipeline import Predictor
from gateway.routing.table import ModelRoute

__all__ = ["JSON", "Media", "PredictEndpoint", "answer_body", "answer_whole", "plain_answers"]

Media = tuple[tuple[bytes, bytes], ...]
JSON: Media = ((b"content-type", b"application/json"),)
_SAYS_JSON = JSON[0]
_TELLING = frozenset(
    (
        b"content-type",
        b"content-encoding",
        b"inference-header-content-length",
        DEADLINE_HEADER,
        PRIORITY_HEADER,
    )
)
_CONSTANT, _NOTHING = {"variant": "constant"}, dict[str, str]()
_OCTETS: Media = ((b"content-type", b"application/octet-stream"),)
_TIMES = b"queue;dur=%.3f, inference;dur=%b, total;dur=%.3f"
_HEAD = (
    b"HTTP/1.1 200 OK\r\n%bcontent-length: %%d\r\nx-request-id: %%b\r\n%bx-route-revision: %d\r\n"
    b"server-timing: queue;dur=%%.3f, inference;dur=%b, total;dur=%%.3f\r\n%%b\r\n"
)


class _Shared(NamedTuple):
    """What the plain answers of a run share."""

    texts: PlainTexts
    route: ModelRoute
    template: bytes
    fixed_bytes: int


class PredictEndpoint:
    """The inference routes of a worker.

    Parameters
    ----------
    key_header
        Name of the header that carries the routing key.
    body_bytes
        Largest body accepted.
    """

    def __init__(self, pipeline: Predictor, door: Door, *, key_header: str, body_bytes: int) -> None:
        self._pipeline, self._door = pipeline, door
        self._key_header = key_header.lower().encode("ascii")
        self._telling = _TELLING | {self._key_header}
        self._body_bytes = body_bytes

    async def __call__(
        self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend, target: Target, request_id: str
    ) -> int:
        """Answer what an inference route asks for; return the status."""
        started, headers = perf_counter(), scope["headers"]
        if not self._door.is_open:
            self._door.pass_through(self._door.client(headers, scope["client"][0] if scope["client"] else None))
        call = Call(target.model, target.version, target.protocol, b"", request_id, started)
        encoding = self._heed(call, headers)
        message, limit = await receive(), self._body_bytes
        body = await rest_of(message, receive, limit) if message.get("more_body") else whole_of(message, limit)
        call.body = body if encoding is None else unpacked(body, encoding, limit)
        answered = await self._pipeline.predict(call)
        if WHOLE in scope.get("extensions", ()):
            await send({"type": WHOLE, "status": 200, "whole": answer_whole(answered, b"")})
        else:
            await respond(send, answered)
        return 200

    def _heed(self, call: Call, headers: Headers) -> Encoding | None:
        """Take what the headers tell of a call, which mostly is nothing; return how its body is packed."""
        told, length = [], None
        for pair in headers:
            if pair[0] == b"content-length":
                length = pair[1]
            elif pair[0] in self._telling and pair != _SAYS_JSON:
                told.append(pair)
        encoding = self._heed_all(call, told) if told else None
        check_length(length, self._body_bytes)
        return encoding

    def _heed_all(self, call: Call, told: Headers) -> Encoding | None:
        if call.protocol == "v2":
            call.json_bytes = json_length(told)
        else:
            check_json(told)
        key, urgency = header(told, self._key_header), of_headers(told)
        call.key = None if key is None else key.decode("latin-1")
        call.deadline = urgency.deadline_at(call.received_at, inf)
        call.priority = urgency.priority
        return encoding_of(told)


async def respond(send: ASGISend, call: Call) -> None:
    """Send head and body of an answered call in two messages, which any server takes."""
    media, body = answer_body(call)
    arm = call.arm
    headers = [
        *media,
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", call.request_id.encode("ascii")),
        *arm.headers,
        (b"x-route-revision", b"%d" % call.route.revision),
        (b"server-timing", _TIMES % (call.queue_s * 1e3, _ms(call.inference_s), call.total_s * 1e3)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer_whole(call: Call, standing: bytes) -> bytes:
    """Return the same as the bytes of a whole answer; ``standing`` are the lines of headers that every answer has."""
    if call.protocol == "plain":
        return plain_answers((call,), standing)[0]
    media, body = answer_body(call)
    head = _head(call, b"".join([b"%b: %b\r\n" % pair for pair in media]))
    times = call.queue_s * 1e3, call.total_s * 1e3
    return b"%b%b" % (head % (len(body), call.request_id.encode(), *times, standing), body)


def plain_answers(calls: Sequence[Call], standing: bytes) -> list[bytes]:
    """Return the whole answers to plain calls of one run; ``standing`` as in ``answer_whole``."""
    run, route, answers = calls[0].run, None, []
    started_at = run.started_at
    for call in calls:
        if call.route is not route:
            texts, route, template, fixed_bytes = _shared(call)
        predictions, scores = texts.of(call.start, call.decoded.n)
        request_id = call.request_id.encode()
        answers.append(
            template
            % (
                fixed_bytes + len(request_id) + len(predictions) + len(scores),
                request_id,
                (started_at - call.queued_at) * 1e3,
                call.total_s * 1e3,
                standing,
                request_id,
                predictions,
                scores,
            )
        )
    return answers


def _shared(call: Call) -> _Shared:
    """Write what the plain answers of a run have in common, and all of its rows, once."""
    arm, outputs, run = call.arm, call.run.outputs, call.run
    shared: _Shared | None = run.shared
    if shared is not None and shared.route is call.route:
        return shared
    texts = arm.writer.texts(arm.servable.reader.predictions_of(outputs.run), outputs.scores_list())
    template = _head(call, b"content-type: application/json\r\n") + arm.writer.template
    run.shared = shared = _Shared(texts, call.route, template, arm.writer.fixed_bytes)
    return shared


def _head(call: Call, media_lines: bytes) -> bytes:
    """Return the head of an answer, with places for what differs between the answers of a run."""
    return _HEAD % (media_lines, call.arm.header_lines, call.route.revision, _ms(call.inference_s))


def _ms(seconds: float) -> bytes:
    return b"%.3f" % (seconds * 1e3)


def answer_body(call: Call) -> tuple[Media, bytes]:
    """Return an answer as its call's protocol says it: the headers that tell how to read the body, and the body."""
    protocol = call.protocol
    if protocol == "plain":
        return JSON, plain_body(call)
    if protocol == "v2":
        return _v2_body(call)
    return JSON, encode_predictions(call.arm.servable.reader.predictions(call.outputs))


def plain_body(call: Call) -> bytes:
    """Return the plain protocol's body."""
    arm, outputs = call.arm, call.outputs
    texts = arm.writer.texts(arm.servable.reader.predictions(outputs), outputs.scores_list())
    return arm.writer.write(call.request_id.encode(), texts)


def _v2_body(call: Call) -> tuple[Media, bytes]:
    """Return the Open Inference Protocol's answer: the requested outputs, all of them when none was named."""
    decoded, servable = call.decoded, call.arm.servable
    arrays = dict(zip(servable.outputs, call.outputs.raw, strict=True))
    wanted = decoded.requested or tuple(arrays)
    body, json_bytes = encode_outputs(
        model=servable.model,
        version=servable.version,
        request_id=decoded.echo_id or call.request_id,
        outputs={name: np.asarray(arrays[name]) for name in wanted},
        binary=decoded.binary,
        parameters=_CONSTANT if call.arm.variant == "constant" else _NOTHING,
    )
    if json_bytes is None:
        return JSON, body
    return (*_OCTETS, (b"inference-header-content-length", b"%d" % json_bytes)), body
