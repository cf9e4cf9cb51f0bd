"""Reading a request: its body within a limit, and its media type."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from gateway.errors import BodyMalformed, BodyTooLarge, MediaTypeUnsupported
from gateway.http.unpacking import encoding_of, unpacked

__all__ = [
    "ASGIReceive",
    "ASGIScope",
    "ASGISend",
    "check_json",
    "check_length",
    "header",
    "is_length",
    "json_length",
    "read_body",
    "rest_of",
    "says_json",
    "whole_of",
]

ASGIScope = MutableMapping[str, Any]
ASGIReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
ASGISend = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A form is what curl -d says of any body unless told otherwise; it is read as the JSON that it then is, or refused.
_JSON = re.compile(rb"application/(?:x-www-form-urlencoded|(?:[a-z0-9.+-]+\+)?json) *(?:;.*)?", re.IGNORECASE)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header; names in a scope are lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None


def check_json(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a body that says it is not JSON.

    Raises
    ------
    gateway.errors.MediaTypeUnsupported
    """
    for key, value in headers:
        if key == b"content-type" and not _JSON.fullmatch(value):
            raise MediaTypeUnsupported(value.decode("latin-1")[:100], "application/json")


def json_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return how long the JSON is that raw tensors follow (Open Inference Protocol); ``None`` where none do.

    Raises
    ------
    gateway.errors.BodyMalformed
        The header is no number.
    """
    given = header(headers, b"inference-header-content-length")
    if given is None:
        return None
    if not is_length(given):
        raise BodyMalformed("Inference-Header-Content-Length must be a number of bytes")
    return int(given)


def is_length(value: bytes) -> bool:
    """Return whether a header's value is a number of bytes."""
    return value.isdigit() and len(value) <= 18


def says_json(key: bytes, value: bytes, protocol: str) -> bool:
    """Return whether one header leaves the body plain JSON: no other type, no compression, no raw tensors.

    The Open Inference Protocol's clients often send no content type, or that of a form.
    """
    if key == b"content-type":
        return value == b"application/json" or protocol == "v2" or _JSON.fullmatch(value) is not None
    return key not in (b"content-encoding", b"inference-header-content-length")


async def read_body(scope: ASGIScope, receive: ASGIReceive, limit: int) -> bytes:
    """Return the whole body, unpacked where it is compressed; neither form is ever held beyond ``limit`` bytes.

    Raises
    ------
    gateway.errors.BodyTooLarge
        As soon as the declared, the received or the unpacked length is above the limit.
    gateway.errors.BodyMalformed
        The client went away in the middle of it, or it cannot be unpacked.
    gateway.errors.EncodingUnsupported
        It is compressed in another way than by gzip or zstd, or more than once.
    """
    encoding = encoding_of(scope["headers"])
    check_length(header(scope["headers"], b"content-length"), limit)
    message = await receive()
    body = await rest_of(message, receive, limit) if message.get("more_body") else whole_of(message, limit)
    return body if encoding is None else unpacked(body, encoding, limit)


def check_length(declared: bytes | None, limit: int) -> None:
    """Refuse a body that says that it is longer than ``limit`` bytes, before any of it is read."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge("bytes", limit, int(declared))


def whole_of(message: MutableMapping[str, Any], limit: int) -> bytes:
    """Return a body that came in one message."""
    if message["type"] == "http.disconnect":
        raise BodyMalformed("the connection closed before the body was complete")
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise BodyTooLarge("bytes", limit, len(body))
    return body


async def rest_of(message: MutableMapping[str, Any], receive: ASGIReceive, limit: int) -> bytes:
    """Return a body that comes in several messages, of which this is the first."""
    parts, size = [whole_of(message, limit)], 0
    while message.get("more_body", False):
        size += len(parts[-1])
        message = await receive()
        parts.append(whole_of(message, limit))
        if size + len(parts[-1]) > limit:
            raise BodyTooLarge("bytes", limit)
    return b"".join(parts)
