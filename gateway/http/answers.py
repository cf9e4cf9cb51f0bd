"""The bytes of answers: one by itself, or those of a run together, of which much is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gateway.call import Call
from gateway.codec.plain import PlainTexts, encode_predictions
from gateway.routing.table import ModelRoute

__all__ = ["JSON", "TIMES", "Media", "answer_body", "answer_whole", "milliseconds", "plain_answers", "v2_answers"]

Media = tuple[tuple[bytes, bytes], ...]
JSON: Media = ((b"content-type", b"application/json"),)
TIMES = b"queue;dur=%.3f, inference;dur=%b, total;dur=%.3f"
_OCTETS, _JSON_LENGTH = (b"content-type", b"application/octet-stream"), b"inference-header-content-length"
_HEAD = (
    b"HTTP/1.1 200 OK\r\n%bcontent-length: %%d\r\nx-request-id: %%b\r\n%bx-route-revision: %d\r\n"
    b"server-timing: queue;dur=%%.3f, inference;dur=%b, total;dur=%%.3f\r\n%%b\r\n"
)
_RAW_LINES = b"%b: %b\r\n%b: %%d\r\n" % (*_OCTETS, _JSON_LENGTH)


class _Shared(NamedTuple):
    """What the plain answers of a run share."""

    texts: PlainTexts
    route: ModelRoute
    template: bytes
    fixed_bytes: int


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


def v2_answers(calls: Sequence[Call], standing: bytes) -> Iterator[bytes]:
    """Give the whole answers to calls of one run by the Open Inference Protocol; ``standing`` as above.

    Where all ask for the same outputs as raw bytes, these are cut out of the run's: a quarter of the time. One by one,
    since outputs may be large.
    """
    first = calls[0]
    outputs = _raw_rows(first) if all(_is_like(call, first) for call in calls) else None
    if outputs is None:
        for call in calls:
            yield answer_whole(call, standing)
        return
    told = [(call.decoded.echo_id or call.request_id, call.span) for call in calls]
    head = _head(first, _RAW_LINES)
    for call, (json, raw) in zip(calls, first.arm.v2_writer.write_raw(outputs, told), strict=True):
        sizes, times = (len(json), len(json) + sum(map(len, raw))), (call.queue_s * 1e3, call.total_s * 1e3)
        yield b"".join((head % (*sizes, call.request_id.encode(), *times, standing), json, *raw))


def _is_like(call: Call, other: Call) -> bool:
    mine, its = call.decoded, other.decoded
    return call.route is other.route and mine.requested == its.requested and mine.binary == its.binary


def _raw_rows(call: Call) -> Mapping[str, npt.NDArray[Any]] | None:
    """Return what a call asks for, of its whole run; ``None`` unless all of it is to be raw numbers by rows."""
    if not call.decoded.binary or call.start is None:
        return None
    outputs = _wanted(call, call.run.outputs.raw)
    is_raw = all(name in call.decoded.binary and array.dtype.kind not in "OU" for name, array in outputs.items())
    return outputs if is_raw else None


def _wanted(call: Call, raw: Sequence[npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the requested ones of a graph's outputs, all of them when none was named."""
    arrays = dict(zip(call.arm.servable.outputs, raw, strict=True))
    return {name: np.asarray(arrays[name]) for name in call.decoded.requested or arrays}


def _head(call: Call, media_lines: bytes) -> bytes:
    """Return the head of an answer, with places for what differs between the answers of a run."""
    return _HEAD % (media_lines, call.arm.header_lines, call.route.revision, milliseconds(call.inference_s))


def milliseconds(seconds: float) -> bytes:
    """Return a time as answers tell it."""
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
    """Return the Open Inference Protocol's answer."""
    decoded, outputs = call.decoded, _wanted(call, call.outputs.raw)
    body, json_bytes = call.arm.v2_writer.write(decoded.echo_id or call.request_id, outputs, decoded.binary)
    return (JSON if json_bytes is None else (_OCTETS, (_JSON_LENGTH, b"%d" % json_bytes))), body
