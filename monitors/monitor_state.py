"""What changes of a drift monitor as JSON text: written at the end of a job, read at the begin of the next."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitors.evidence.budget import Budget
from monitors.evidence.channel import Cause
from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.saved import SavedMemory, SavedMonitor
from monitors.evidence.ticks import Ticks
from monitors.paging import Calibration
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

__all__ = ["MonitorSettings", "MonitorState", "finite_or_none", "model_digest", "read_state", "write_state"]

VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """What a monitor was told to do: evidence goes on under the same budget and ticks only."""

    pages_per_week: float
    promise: str
    rows_between_false_pages: float | None
    summary_s: float
    summary_rows: float
    share: float
    weights: Mapping[Cause, float]
    tick_rows: float
    tick_seconds: float | None
    calibration: Calibration

    @classmethod
    def of(cls, budget: Budget, ticks: Ticks, calibration: Calibration) -> MonitorSettings:
        """Return the settings of a monitor."""
        return cls(
            pages_per_week=float(budget.pages_per_week),
            promise=budget.promise,
            rows_between_false_pages=_float(budget.rows_between_false_pages),
            summary_s=float(budget.summary_s),
            summary_rows=float(budget.summary_rows),
            share=float(budget.share),
            weights={cause: float(weight) for cause, weight in budget.weights.items()},
            tick_rows=float(ticks.rows),
            tick_seconds=_float(ticks.seconds),
            calibration=calibration,
        )

    def differences(self, other: MonitorSettings) -> str:
        """Return in words where another's differ from these; an empty text where they do not."""
        mine, its = asdict(self), asdict(other)
        return ", ".join(f"{name} {its[name]!r} and not {mine[name]!r}" for name in mine if mine[name] != its[name])


@dataclass(frozen=True, slots=True)
class MonitorState:
    """All that changes of a drift monitor. Tables are written row by row; their shapes are those of the model.

    Parameters
    ----------
    model
        Digest of the fitted part, all of it.
    newest_s
        Time of the newest row, where times are given.
    cut_rows, cut_s
        Rows since the last summary ended, and the latest time so far.
    repeats
        Rows since the last that was no repeat.
    recent_sizes, recent_counts
        Counts of the newest summaries, by which a change is described.
    """

    model: str
    settings: MonitorSettings
    rows_seen: int
    summaries: int
    newest_s: float | None
    cut_rows: int
    cut_s: float | None
    monitor: SavedMonitor
    repeats: int
    memory: SavedMemory
    recent_sizes: tuple[int, ...]
    recent_counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class _Document:
    schema_version: Literal[1]
    sha256: str
    state: MonitorState


def write_state(state: MonitorState) -> bytes:
    """Return a state as text: the same for the same state, and with a checksum."""
    return encode_document(_Document(VERSION, _checksum(state), state))


def read_state(text: bytes) -> MonitorState:
    """Return the state of a text.

    Raises
    ------
    DocumentRefused
        It is no such text, was changed or cut short, or is of a newer release.
    """
    try:
        document = decode_document(text, _Document)
    except DocumentRefused as exc:
        version = _version_of(text)
        if version is not None and version != VERSION:
            what = f"state of version {version}, and this release reads version {VERSION}: begin without it, or update"
            raise DocumentRefused("$.schema_version", what) from exc
        raise DocumentRefused(exc.where, f"{exc.what}: no whole state of a monitor; begin without it") from exc
    if _checksum(document.state) != document.sha256:
        raise DocumentRefused("$.sha256", "the state was changed after it was written; begin without it")
    return document.state


def model_digest(model: EvidenceModel) -> str:
    """Return the identity of all of a fitted part. Cost: that of writing it, some milliseconds."""
    return f"sha256:{hashlib.sha256(write_model(model)).hexdigest()}"


def finite_or_none(number: float | None) -> float | None:
    """Return a number that JSON has, else ``None``."""
    return number if number is not None and math.isfinite(number) else None


def _float(number: float | None) -> float | None:
    return None if number is None else float(number)


def _checksum(state: MonitorState) -> str:
    return hashlib.sha256(encode_document(state)).hexdigest()


def _version_of(text: bytes) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found.get("schema_version") if isinstance(found, dict) else None
