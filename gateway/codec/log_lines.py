"""Lines of the prediction log: one JSON object each, with what an index needs of it read alone."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["LineHead", "decode_line", "encode_lines", "encode_text", "head_of"]


class LineHead(msgspec.Struct, gc=False):
    """What the index of a file needs of a line."""

    request_id: str
    time: str


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, Any])
_HEADS = msgspec.json.Decoder(LineHead)


def encode_lines(records: list[dict[str, Any]]) -> bytes:
    """Return the records as lines; a number that is not finite becomes null."""
    return _ENCODER.encode_lines(records)


def encode_text(text: str) -> bytes:
    """Return a string exactly as it stands in a line."""
    return _ENCODER.encode(text)


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; ``None`` for one that is torn."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def head_of(line: bytes) -> LineHead | None:
    """Return id and time of a line; ``None`` for one that is torn. About a microsecond."""
    try:
        return _HEADS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
