"""From what the workers tell to the records of the log, with features left out or hashed as the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from monitors.records import (
    BROKEN_FLAG,
    FALLBACK_FLAG,
    IMPUTED_FLAG,
    OUT_OF_RANGE_FLAG,
    RULE_FLAG,
    UNSEEN_CODE,
    UNSEEN_FLAG,
    Failures,
    FeatureSchema,
    Observation,
    OutputSchema,
    StreamInfo,
)

__all__ = ["LogRecords", "RecordRefused", "utc_text"]

Record = dict[str, Any]
_MOST_VERSIONS = 1_024
_LAST_SECOND = 253_402_300_799.0
_FLAGS = {
    FALLBACK_FLAG: "fallback",
    IMPUTED_FLAG: "imputed",
    OUT_OF_RANGE_FLAG: "out_of_range",
    UNSEEN_FLAG: "unseen",
    BROKEN_FLAG: "broken",
    RULE_FLAG: "rule",
}
_WHOLE = ("int", "uint", "bool")


class RecordRefused(ValueError):
    """A block that cannot be written; the text is the reason under which its rows count as dropped."""


class LogRecords:
    """Turn blocks of answers and failures into plain records, ready for JSON.

    Parameters
    ----------
    redact
        Names of features that are left out, whatever the model.
    hashed
        Names of features of which only a salted hash is kept.
    salt
        Key of these hashes, at most 64 bytes.

    Notes
    -----
    ``learn`` may be called by another thread than the rest. Remembers at most 1,024 versions.
    """

    def __init__(self, *, redact: Iterable[str] = (), hashed: Iterable[str] = (), salt: bytes = b"") -> None:
        self._redact, self._hashed, self._salt = frozenset(redact), frozenset(hashed), salt
        self._versions: dict[tuple[str, str, str], StreamInfo] = {}

    def learn(self, info: StreamInfo) -> None:
        """Take note of what a version's columns mean; needed before its answers."""
        if len(self._versions) >= _MOST_VERSIONS:
            self._versions.pop(next(iter(self._versions)))
        self._versions[(info.model, info.version, info.digest)] = info

    def answers(self, seen: Observation) -> list[Record]:
        """Return one record for each row.

        Raises
        ------
        RecordRefused
            ``unknown_version`` or ``invalid``.
        """
        key = seen.key
        info = self._versions.get((key.model, key.version, key.digest))
        if info is None:
            raise RecordRefused("unknown_version")
        if seen.values_nd.shape[1] not in (0, len(info.features)) or not _are_times(seen.answered_at_n):
            raise RecordRefused("invalid")
        features = self._features(info.features, seen.values_nd)
        unseen = self._unseen(info.features, seen.values_nd)
        scores, labels = _scores(info.output, seen.scores_nk), _labels(info.output, seen.labels_n)
        times, flags = _times(seen.answered_at_n), _flags(seen.flags_n)
        hashes, durations = seen.key_hashes_n.tolist(), seen.durations_n.tolist()
        return [
            {
                "kind": "answer",
                "time": times[i],
                "request_id": request_id,
                "row": row,
                "model": key.model,
                "version": key.version,
                "digest": key.digest,
                "variant": key.variant,
                "route_revision": seen.route_revision,
                "key_hash": _hex(hashes[i]),
                "status": "ok",
                "features": features[i],
                "unseen": unseen.get(i, ()),
                "label": labels[i],
                "scores": scores[i],
                "flags": flags[i],
                "duration_s": round(durations[i], 6),
                "sampled_ratio": seen.sampled_ratio,
                "worker": seen.worker,
            }
            for i, (request_id, row) in enumerate(_numbered(seen.request_ids))
        ]

    def failures(self, block: Failures) -> list[Record]:
        """Return one record for each request that got no answer, or not the one that was meant for it.

        Raises
        ------
        RecordRefused
            ``invalid``.
        """
        if not _are_times(np.array([failure.failed_at for failure in block.failures])):
            raise RecordRefused("invalid")
        return [
            {
                "kind": "failure",
                "time": utc_text(failure.failed_at),
                "request_id": failure.request_id,
                "model": failure.model,
                "version": failure.version,
                "digest": failure.digest,
                "variant": failure.variant,
                "route_revision": failure.route_revision,
                "key_hash": _hex(failure.key_hash),
                "status": failure.status,
                "reason": failure.reason,
                "duration_s": round(failure.duration_s, 6),
                "sampled_ratio": failure.sampled_ratio,
                "worker": block.worker,
            }
            for failure in block.failures
        ]

    def _features(self, features: Sequence[FeatureSchema], values_nd: npt.NDArray[np.float64]) -> list[Record]:
        """Return name and value of each feature that may be kept, row by row."""
        if not values_nd.shape[1]:
            return [{} for _ in range(len(values_nd))]
        kept = [(j, feature) for j, feature in enumerate(features) if feature.name not in self._redact]
        columns = [self._column(feature, values_nd[:, j]) for j, feature in kept]
        names = [feature.name for _, feature in kept]
        if not kept:
            return [{} for _ in range(len(values_nd))]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _column(self, feature: FeatureSchema, values_n: npt.NDArray[np.float64]) -> list[Any]:
        column = _meaning(feature, values_n)
        if feature.name not in self._hashed:
            return column
        return [None if value is None else self._hash(feature.name, value) for value in column]

    def _hash(self, name: str, value: object) -> str:
        return "hash:" + blake2b(f"{name}\0{value!r}".encode(), digest_size=8, key=self._salt).hexdigest()

    def _unseen(
        self, features: Sequence[FeatureSchema], values_nd: npt.NDArray[np.float64]
    ) -> dict[int, tuple[str, ...]]:
        """Return the features whose category the contract does not list, for the rows that have one."""
        found: dict[int, tuple[str, ...]] = {}
        if values_nd.shape[1]:
            for j, feature in enumerate(features):
                if feature.categories and feature.name not in self._redact:
                    for i in np.flatnonzero(values_nd[:, j] == UNSEEN_CODE).tolist():
                        found[i] = (*found.get(i, ()), feature.name)
        return found


def utc_text(unix_s: float) -> str:
    """Return a time as text whose order is that of time.

    >>> utc_text(1.5)
    '1970-01-01T00:00:01.500000Z'
    """
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _meaning(feature: FeatureSchema, values_n: npt.NDArray[np.float64]) -> list[Any]:
    """Return a column as the client sent it; what nobody knows any more (missing, unseen, free text) is ``None``."""
    if feature.kind == "category":
        names = dict(enumerate(feature.categories))
        return [names.get(value) for value in values_n.tolist()]  # a dictionary takes 2.0 for 2, and no NaN
    if feature.dtype.startswith(_WHOLE):
        return [int(value) if value == value and abs(value) < 2**63 else None for value in values_n.tolist()]
    return [value if value - value == 0.0 else None for value in values_n.tolist()]


def _scores(output: OutputSchema, scores_nk: npt.NDArray[np.float64]) -> list[Any]:
    """Return probabilities by class, or the values of a regression."""
    if output.classes and scores_nk.shape[1] == len(output.classes):
        return [dict(zip(output.classes, row, strict=True)) for row in scores_nk.tolist()]
    return list(scores_nk.tolist())


def _labels(output: OutputSchema, labels_n: npt.NDArray[np.int32]) -> list[str | None]:
    names = dict(enumerate(output.classes))
    return [names.get(label) for label in labels_n.tolist()]


def _flags(flags_n: npt.NDArray[np.uint16]) -> list[tuple[str, ...]]:
    known = {bits: tuple(name for bit, name in _FLAGS.items() if bits & bit) for bits in np.unique(flags_n).tolist()}
    return [known[bits] for bits in flags_n.tolist()]


def _are_times(times_n: npt.NDArray[np.float64]) -> bool:
    return bool(np.isfinite(times_n).all() and (times_n >= 0.0).all() and (times_n <= _LAST_SECOND).all())


def _times(times_n: npt.NDArray[np.float64]) -> list[str]:
    texts = {unix_s: utc_text(unix_s) for unix_s in np.unique(times_n).tolist()}
    return [texts[unix_s] for unix_s in times_n.tolist()]


def _numbered(request_ids: Sequence[str]) -> Iterable[tuple[str, int]]:
    """Give each row's request and its place in it: the tap keeps the first rows of a request, side by side."""
    last, row = None, 0
    for request_id in request_ids:
        row = row + 1 if request_id == last else 0
        last = request_id
        yield request_id, row


def _hex(key_hash: int) -> str | None:
    return f"{key_hash:016x}" if key_hash else None
