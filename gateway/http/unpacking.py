"""Unpacking a compressed body: by gzip or zstd, once, and never to more than a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Literal

import zstandard

from gateway.errors import BodyMalformed, BodyTooLarge, EncodingUnsupported

__all__ = ["Encoding", "encoding_of", "unpacked"]

Encoding = Literal["gzip", "zstd"]

_NAMES: dict[bytes, Encoding] = {b"gzip": "gzip", b"x-gzip": "gzip", b"zstd": "zstd"}
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""What a sender of ``Content-Encoding: zstd`` may ask for (RFC 9659, section 3)."""
_ZSTD_STEP_BYTES = 256
"""Four bytes of zstd may stand for 128 KiB, so this much is looked at before the size is: 8 MiB at most."""


def encoding_of(headers: Iterable[tuple[bytes, bytes]]) -> Encoding | None:
    """Return how a body is packed, ``None`` where it is not.

    Raises
    ------
    gateway.errors.EncodingUnsupported
        In a way that is not known here, or more than once.

    Examples
    --------
    >>> encoding_of([(b"content-encoding", b"identity, GZIP")])
    'gzip'
    """
    given = b",".join([value for name, value in headers if name == b"content-encoding"])
    codings = [coding for part in given.split(b",") if (coding := part.strip().lower()) not in (b"", b"identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _NAMES:
        raise EncodingUnsupported(given.decode("latin-1")[:100], "gzip, zstd")
    return _NAMES[codings[0]]


def unpacked(body: bytes, encoding: Encoding, limit: int) -> bytes:
    """Return what was packed; a body that would grow beyond ``limit`` is given up as soon as it does.

    Raises
    ------
    gateway.errors.BodyTooLarge
    gateway.errors.BodyMalformed
        It is no such thing, is cut off, or has something behind its end, be it a further member or frame.
    """
    return _from_gzip(body, limit) if encoding == "gzip" else _from_zstd(body, limit)


def _from_gzip(body: bytes, limit: int) -> bytes:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = member.decompress(body, limit + 1)
    except zlib.error as exc:
        raise BodyMalformed("the body is not what gzip makes") from exc
    _check_end(len(plain), limit, is_at_end=member.eof and not member.unused_data)
    return plain


def _from_zstd(body: bytes, limit: int) -> bytes:
    frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
    parts, size, start = [], 0, 0
    try:
        while start < len(body) and size <= limit and not frame.eof:
            parts.append(frame.decompress(body[start : start + _ZSTD_STEP_BYTES]))
            size += len(parts[-1])
            start += _ZSTD_STEP_BYTES
    except zstandard.ZstdError as exc:
        raise BodyMalformed("the body is not what zstd makes with a window of at most 8 MiB") from exc
    _check_end(size, limit, is_at_end=frame.eof and not frame.unused_data and start >= len(body))
    return b"".join(parts)


def _check_end(size: int, limit: int, *, is_at_end: bool) -> None:
    if size > limit:
        raise BodyTooLarge("bytes after decompression", limit)
    if not is_at_end:
        raise BodyMalformed("the compressed body does not end where its content does")
