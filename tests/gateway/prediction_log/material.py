"""Material of the tests of the prediction log: a version, its answers, and a writer pumped by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gateway.prediction_log.folder import LogFolder
from gateway.prediction_log.lines import LogRecords
from gateway.prediction_log.writer import LogWriter
from gateway.settings import PredictionLogSettings
from monitors.records import (
    FALLBACK_FLAG,
    Failure,
    Failures,
    FeatureSchema,
    Observation,
    OutputSchema,
    StreamInfo,
    StreamKey,
)

INFO = StreamInfo(
    "m",
    "1",
    "sha256:ab",
    (
        FeatureSchema("width", "number", "float64"),
        FeatureSchema("count", "number", "int64"),
        FeatureSchema("colour", "category", "string", ("red", "green")),
    ),
    OutputSchema("classification", ("good", "bad")),
)
KEY = StreamKey("m", "1", "sha256:ab", "stable")
NOON = 1_769_860_800.0


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = NOON

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


def answers(*request_ids: str, at: float = NOON, values: tuple[float, float, float] = (1.5, 3.0, 1.0)) -> Observation:
    """Return one answered row for each id."""
    n = len(request_ids)
    return Observation(
        key=KEY,
        worker="w-1",
        route_revision=7,
        sampled_ratio=0.5,
        request_ids=request_ids,
        answered_at_n=np.full(n, at),
        key_hashes_n=np.full(n, 255, np.uint64),
        values_nd=np.tile(np.array(values), (n, 1)),
        labels_n=np.ones(n, np.int32),
        scores_nk=np.tile([0.25, 0.75], (n, 1)),
        durations_n=np.full(n, 0.002, np.float32),
        flags_n=np.full(n, FALLBACK_FLAG, np.uint16),
    )


def masked(request_id: str, at: float = NOON) -> Failures:
    """Return a canary's failure that stable masked."""
    failure = Failure(
        request_id=request_id,
        failed_at=at,
        model="m",
        version="2",
        digest="sha256:cd",
        variant="canary",
        route_revision=7,
        key_hash=255,
        status="masked",
        reason="error",
        duration_s=0.001,
        sampled_ratio=1.0,
    )
    return Failures("w-1", (failure,))


class Ground:
    """A writer on a folder, with a clock moved by hand."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path, self.clock = path, HandClock()
        self.settings = replace(PredictionLogSettings(path=path), **settings)
        self.writer = self.new_writer()

    def new_writer(self) -> LogWriter:
        """Return another writer, as after a restart."""
        records = LogRecords(redact=self.settings.redact, hashed=self.settings.hash, salt=b"salt")
        records.learn(INFO)
        self.folder = LogFolder(self.path)
        return LogWriter(self.folder, records, self.settings, self.clock)

    def names(self) -> list[str]:
        """Return what lies in the folder, but the lock."""
        return sorted(entry.name for entry in self.path.iterdir() if entry.name != "writer.lock")

    def lines(self) -> list[dict[str, Any]]:
        """Return the records of plain files."""
        texts = [path.read_text() for path in sorted(self.path.glob("*.jsonl"))]
        return [json.loads(line) for text in texts for line in text.splitlines()]
