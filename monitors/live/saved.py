"""Saved evidence: all that changes of the live streams as JSON text, so that a restart of the watch forgets nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitors.evidence.channel import Cause
from monitors.evidence.saved import (
    SavedMemory,
    SavedMonitor,
    numbers_of,
    restored_memory,
    restored_state,
    save_memory,
    save_monitor,
)
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
    segment: int | None = None


@dataclass(frozen=True, slots=True)
class SavedStream:
    """What changes of one stream. Tables are written row by row; their shapes are those of the model."""

    key: StreamKey
    counts_from_s: float
    closed_s: int
    began_s: int | None
    summaries: int
    monitor: SavedMonitor
    memory: SavedMemory
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
    return SavedStream(
        key=stream.key,
        counts_from_s=stream.counts_from_s,
        closed_s=stream.seconds.closed_s,
        began_s=stream.began_s,
        summaries=stream.summaries,
        monitor=save_monitor(stream.monitor),
        memory=save_memory(stream.seconds.memory),
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
    try:
        restored = restored_state(stream.monitor, saved.monitor)
        tables = {(p.cause, p.kind, p.segment): _table(p.since, shape) for p in saved.presences}
        remembered = restored_memory(saved.memory)
        if not tables.keys() <= stream.presences.keys():
            raise ValueError("causes or segments that the model does not have")
        stream.monitor.restore(restored)
    except (ValueError, OverflowError) as exc:
        raise DocumentRefused("$.streams", str(exc)) from exc
    for kept in saved.presences:
        presence = stream.presences[kept.cause, kept.kind, kept.segment]
        presence.since_cb = tables[kept.cause, kept.kind, kept.segment]
        presence.on_level, presence.lasts = min(max(kept.on_level, 0.0), 1.0), kept.lasts
    stream.seconds.memory = remembered
    stream.seconds.close_until(saved.closed_s)
    stream.counts_from_s = min(saved.counts_from_s, stream.counts_from_s)
    stream.began_s, stream.summaries = saved.began_s, max(0, saved.summaries)


def _check_times(stream: EvidenceStream, saved: SavedStream) -> None:
    """Refuse times that lie ahead: a clock that went back would leave the stream blind until it comes there."""
    if max(saved.closed_s, saved.began_s or 0) > stream.counts_from_s + MOST_AHEAD_S:
        raise DocumentRefused("$.streams", "saved by a clock that is ahead of this one")


def _presence(cause: Cause, kind: Kind, segment: int | None, presence: Presence) -> _Presence:
    since = None if presence.since_cb is None else tuple(presence.since_cb.ravel().tolist())
    return _Presence(cause, kind, presence.on_level, presence.lasts, since, segment)


def _table(found: tuple[int, ...] | None, shape: tuple[int, ...]) -> npt.NDArray[np.int64] | None:
    return None if found is None else numbers_of(found, shape, np.int64)
