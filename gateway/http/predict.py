"""The inference routes: plain ASGI, one read, one pipeline call, one answer."""

from __future__ import annotations

from math import inf
from time import perf_counter

from gateway.admission.deadline import DEADLINE_HEADER, PRIORITY_HEADER, of_headers
from gateway.admission.door import Door
from gateway.call import Call
from gateway.http.answers import JSON, TIMES, answer_body, answer_whole, milliseconds
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

__all__ = ["PredictEndpoint"]

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
        (b"server-timing", TIMES % (call.queue_s * 1e3, milliseconds(call.inference_s), call.total_s * 1e3)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
