"""Saved evidence: all that changes of the live streams as JSON text, so that a restart of the watch forgets nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.channels import Cause
from monitors.evidence.repeats import RowMemory
from monitors.live.distances import Kind
from monitors.live.presence import Presence
from monitors.live.stream import EvidenceStream
from monitors.records import StreamKey
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = ["SavedStream", "encode_saved", "read_saved", "restore_stream", "save_stream"]


MOST_AHEAD_S = 60.0
"""How far a clock may have gone back since the state was saved."""


@dataclass(frozen=True, slots=True)
class _Presence:
    cause: Cause
    kind: Kind
    on_level: float
    lasts: bool
    since: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class _Memory:
    rows: int
    marks: tuple[int, ...]
    last: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Monitor:
    model: str
    components: tuple[float, ...]
    summaries: tuple[int, ...]
    pending: tuple[int, ...]
    pending_rows: int
    rows: int
    rows_seen: int
    warned: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class SavedStream:
    """What changes of one stream. Tables are written row by row; their shapes are those of the model."""

    key: StreamKey
    counts_from_s: float
    closed_s: int
    began_s: int | None
    summaries: int
    monitor: _Monitor
    memory: _Memory
    presences: tuple[_Presence, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    schema_version: Literal[1]
    streams: tuple[SavedStream, ...]


def encode_saved(streams: tuple[SavedStream, ...]) -> bytes:
    """Return the text of the streams."""
    return encode_document(_Document(1, streams))


def read_saved(text: bytes) -> tuple[SavedStream, ...]:
    """Return the streams of a text.

    Raises
    ------
    DocumentRefused
        For text that is no such document.
    """
    return decode_document(text, _Document).streams


def save_stream(stream: EvidenceStream) -> SavedStream:
    """Return what changes of a stream; its open seconds are not in it: their rows are lost with the process."""
    state = stream.monitor.state()
    return SavedStream(
        key=stream.key,
        counts_from_s=stream.counts_from_s,
        closed_s=stream.seconds.closed_s,
        began_s=stream.began_s,
        summaries=stream.summaries,
        monitor=_Monitor(
            model=state["model"],
            components=tuple(state["components"].ravel().tolist()),
            summaries=tuple(state["summaries"].tolist()),
            pending=tuple(state["pending"].ravel().tolist()),
            pending_rows=state["pending_rows"],
            rows=state["rows"],
            rows_seen=state["rows_seen"],
            warned=tuple(state["warned"]),
        ),
        memory=_memory(stream.seconds.memory.state()),
        presences=tuple(_presence(*name, presence) for name, presence in stream.presences.items()),
    )


def restore_stream(stream: EvidenceStream, saved: SavedStream) -> None:
    """Continue a stream from what was saved.

    Raises
    ------
    DocumentRefused
        When it belongs to another model, or holds what no stream has: then the stream is as it was.
    """
    _check_times(stream, saved)
    shape = stream.model.counts_cb.shape
    state = stream.monitor.state()
    monitor, memory = saved.monitor, saved.memory
    try:
        restored = {
            "model": monitor.model,
            "components": _numbers(monitor.components, state["components"].shape, np.float64),
            "summaries": _numbers(monitor.summaries, state["summaries"].shape, np.int64),
            "pending": _numbers(monitor.pending, shape, np.int64),
            "pending_rows": _at_least_0(monitor.pending_rows),
            "rows": _at_least_0(monitor.rows),
            "rows_seen": _at_least_0(monitor.rows_seen),
            "warned": list(monitor.warned),
        }
        tables = {(p.cause, p.kind): _table(p.since, shape) for p in saved.presences}
        remembered = RowMemory()
        remembered.restore({"rows": memory.rows, "marks": list(memory.marks), "last": list(memory.last)})
        if not tables.keys() <= stream.presences.keys():
            raise ValueError("causes that the model does not have")
        stream.monitor.restore({**state, **restored})
    except (ValueError, OverflowError) as exc:
        raise DocumentRefused("$.streams", str(exc)) from exc
    for kept in saved.presences:
        presence = stream.presences[kept.cause, kept.kind]
        presence.since_cb = tables[kept.cause, kept.kind]
        presence.on_level, presence.lasts = min(max(kept.on_level, 0.0), 1.0), kept.lasts
    stream.seconds.memory = remembered
    stream.seconds.close_until(saved.closed_s)
    stream.counts_from_s = min(saved.counts_from_s, stream.counts_from_s)
    stream.began_s, stream.summaries = saved.began_s, max(0, saved.summaries)


def _check_times(stream: EvidenceStream, saved: SavedStream) -> None:
    """Refuse times that lie ahead: a clock that went back would leave the stream blind until it comes there."""
    if max(saved.closed_s, saved.began_s or 0) > stream.counts_from_s + MOST_AHEAD_S:
        raise DocumentRefused("$.streams", "saved by a clock that is ahead of this one")


def _numbers(found: Sequence[float], shape: tuple[int, ...], dtype: type[np.number[Any]]) -> npt.NDArray[Any]:
    numbers = np.array(found, dtype=dtype).reshape(shape)
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError("numbers that are negative or not finite")
    return numbers


def _at_least_0(number: int) -> int:
    if not 0 <= number < 2**62:
        raise ValueError(f"{number} rows")
    return number


def _memory(state: dict[str, Any]) -> _Memory:
    return _Memory(int(state["rows"]), tuple(state["marks"]), tuple(state["last"]))


def _presence(cause: Cause, kind: Kind, presence: Presence) -> _Presence:
    since = None if presence.since_cb is None else tuple(presence.since_cb.ravel().tolist())
    return _Presence(cause, kind, presence.on_level, presence.lasts, since)


def _table(found: tuple[int, ...] | None, shape: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
    return None if found is None else _numbers(found, shape, np.int64)
