"""PNG pictures made small: at most 256 colours, which a page of a console does not miss."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

__all__ = ["small_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Bytes = npt.NDArray[np.uint8]


def small_png(picture: bytes) -> bytes:
    """Return a picture of 8 bits a channel with a palette of its 256 most frequent colours.

    Parameters
    ----------
    picture
        PNG, not interlaced, with or without transparency, which is dropped.
    """
    pixels_yxc = _pixels(picture)[:, :, :3]
    height, width = pixels_yxc.shape[:2]
    packed = pixels_yxc.reshape(-1, 3).astype(np.int64) @ np.array([65536, 256, 1])
    colours, index, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = np.argsort(-counts, kind="stable")[:256]
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    distances = ((channels[:, None, :] - channels[None, kept, :]) ** 2).sum(axis=2)
    places_yx = distances.argmin(axis=1).astype(np.uint8)[index].reshape(height, width)
    rows = np.concatenate([np.zeros((height, 1), dtype=np.uint8), places_yx], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", channels[kept].astype(np.uint8).tobytes())]
    parts += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _pixels(picture: bytes) -> Bytes:
    """Return the pixels: (height, width, channels)."""
    at, compressed = len(_SIGNATURE), b""
    width = height = colour = 0
    while at < len(picture):
        (size,), kind = struct.unpack_from(">I", picture, at), picture[at + 4 : at + 8]
        content = picture[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack_from(">IIBB", content)
        elif kind == b"IDAT":
            compressed += content
        at += size + 12
    channels = {2: 3, 6: 4}[colour]
    lines = np.frombuffer(zlib.decompress(compressed), dtype=np.uint8).reshape(height, 1 + width * channels)
    rows = np.zeros((height + 1, width, channels), dtype=np.uint8)
    for y in range(height):
        rows[y + 1] = _unfiltered(int(lines[y, 0]), lines[y, 1:].reshape(width, channels), rows[y])
    return rows[1:]


def _unfiltered(kind: int, line_xc: Bytes, above_xc: Bytes) -> Bytes:
    """Undo the filter of one row (PNG specification, section 9)."""
    if kind == 0:
        return line_xc
    if kind == 1:
        return np.cumsum(line_xc, axis=0, dtype=np.uint64).astype(np.uint8)
    if kind == 2:
        return line_xc + above_xc
    row = np.zeros_like(line_xc)
    for c in range(line_xc.shape[1]):
        line, above, left, corner, told = line_xc[:, c].tolist(), above_xc[:, c].tolist(), 0, 0, []
        for value, up in zip(line, above, strict=True):
            left = (value + ((left + up) // 2 if kind == 3 else _paeth(left, up, corner))) & 255
            corner = up
            told.append(left)
        row[:, c] = told
    return row


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
