"""Reading a request: its body within a limit, its media type, its id."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from gateway.errors import BodyMalformed, BodyTooLarge, MediaTypeUnsupported

__all__ = [
    "ASGIReceive",
    "ASGIScope",
    "ASGISend",
    "check_json",
    "header",
    "json_length",
    "read_body",
    "request_id_of",
    "says_json",
    "unpacked",
]

ASGIScope = MutableMapping[str, Any]
ASGIReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
ASGISend = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,128}")
# A form is what curl -d says of any body unless told otherwise; it is read as the JSON that it then is, or refused.
_JSON = re.compile(rb"application/(?:x-www-form-urlencoded|(?:[a-z0-9.+-]+\+)?json) *(?:;.*)?", re.IGNORECASE)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """Return the first value of a header; names in a scope are lower case."""
    for key, value in headers:
        if key == name:
            return value
    return None


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the client's ``x-request-id`` when it is short and plain, else 16 random hexadecimal digits."""
    given = header(headers, b"x-request-id")
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return os.urandom(8).hex()


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
    if not given.isdigit() or len(given) > 18:
        raise BodyMalformed("Inference-Header-Content-Length must be a number of bytes")
    return int(given)


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
    gateway.errors.MediaTypeUnsupported
        It is compressed in another way than gzip's.
    """
    encoding = _encoding(scope["headers"])
    declared = header(scope["headers"], b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge("bytes", limit, int(declared))
    body = await _received(receive, limit)
    return body if encoding == b"identity" else unpacked(body, limit)


def _encoding(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    encoding = (header(headers, b"content-encoding") or b"identity").lower()
    if encoding not in (b"identity", b"gzip"):
        raise MediaTypeUnsupported(encoding.decode("latin-1")[:100], "a body that is compressed by gzip or not at all")
    return encoding


def unpacked(body: bytes, limit: int) -> bytes:
    """Return what gzip packed; a body that would grow beyond ``limit`` is given up as soon as it does.

    Raises
    ------
    gateway.errors.BodyTooLarge, gateway.errors.BodyMalformed
    """
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = member.decompress(body, limit + 1)
    except zlib.error as exc:
        raise BodyMalformed("the body is not what gzip makes") from exc
    if len(plain) > limit:
        raise BodyTooLarge("bytes after decompression", limit)
    if not member.eof or member.unused_data:
        raise BodyMalformed("the compressed body does not end where gzip ends it")
    return plain


async def _received(receive: ASGIReceive, limit: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        _check_whole(message, body, limit)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        if size > limit:
            raise BodyTooLarge("bytes", limit)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    body = b"".join(parts)
    _check_whole(message, body, limit)
    return body


def _check_whole(message: MutableMapping[str, Any], body: bytes, limit: int) -> None:
    if message["type"] == "http.disconnect":
        raise BodyMalformed("the connection closed before the body was complete")
    if len(body) > limit:
        raise BodyTooLarge("bytes", limit, len(body))
