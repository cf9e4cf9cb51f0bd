"""Reading a request: its body within a limit, its media type, its id."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from gateway.errors import BodyMalformed, BodyTooLarge, MediaTypeUnsupported

__all__ = [
    "ASGIReceive",
    "ASGIScope",
    "ASGISend",
    "check_json",
    "check_json_tensors",
    "header",
    "read_body",
    "request_id_of",
    "says_json",
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
    """Refuse a body that says it is not JSON, or is compressed.

    Raises
    ------
    gateway.errors.MediaTypeUnsupported
    """
    for key, value in headers:
        if key == b"content-type" and not _JSON.fullmatch(value):
            raise MediaTypeUnsupported(value.decode("latin-1")[:100], "application/json")
        _check_encoding(key, value)


def check_json_tensors(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse what the Open Inference Protocol has besides JSON tensors; its clients often send no content type.

    Raises
    ------
    gateway.errors.MediaTypeUnsupported
    """
    for key, value in headers:
        if key == b"inference-header-content-length":
            raise MediaTypeUnsupported("binary tensor data", "all tensors as JSON (binary_data=False)")
        _check_encoding(key, value)


def says_json(key: bytes, value: bytes, protocol: str) -> bool:
    """Return whether one header leaves the body plain JSON: no other type, no compression, no binary tensors.

    The rule of ``check_json`` and ``check_json_tensors`` for a caller that leaves the refusing to them.
    """
    if key == b"content-type":
        return protocol == "v2" or _JSON.fullmatch(value) is not None
    return key not in (b"content-encoding", b"inference-header-content-length")


def _check_encoding(key: bytes, value: bytes) -> None:
    if key == b"content-encoding" and value.lower() != b"identity":
        raise MediaTypeUnsupported(value.decode("latin-1")[:100], "an uncompressed body")


async def read_body(scope: ASGIScope, receive: ASGIReceive, limit: int) -> bytes:
    """Return the whole body, which is never held beyond ``limit`` bytes.

    Raises
    ------
    gateway.errors.BodyTooLarge
        As soon as the declared or the received length is above the limit.
    gateway.errors.BodyMalformed
        The client went away in the middle of it.
    """
    declared = header(scope["headers"], b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge("bytes", limit, int(declared))
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
    _check_whole(message, b"".join(parts), limit)
    return b"".join(parts)


def _check_whole(message: MutableMapping[str, Any], body: bytes, limit: int) -> None:
    if message["type"] == "http.disconnect":
        raise BodyMalformed("the connection closed before the body was complete")
    if len(body) > limit:
        raise BodyTooLarge("bytes", limit, len(body))
