"""How far each stream has moved over the last hours: what a heat map shows, feature by feature and window by window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from monitors.assessment import Assessment
from monitors.effects import FeatureEffects
from monitors.live.stream import EvidenceStream
from monitors.records import StreamKey
from monitors.thresholds import Thresholds

__all__ = ["HistoryBook", "StreamHistory", "feature_level"]

FINE, COARSE = 180, 144
COARSE_S = 600.0
MOST_FEATURES = 40

Levels = npt.NDArray[np.float32]


def feature_level(feature: FeatureEffects, thresholds: Thresholds) -> float:
    """Return how far a feature has moved: 1 is the level at which its effect alone would page.

    The largest of the changes of its distribution, of its missing and of its unseen values, each as far as the sample
    size does not explain it, in units of its own page level.
    """
    moved = feature.moved()
    return max(
        moved.excess / thresholds.drift_page if moved else 0.0,
        feature.vanished().excess / thresholds.missing_page,
        feature.strayed().excess / thresholds.missing_page,
    )


@dataclass(slots=True)
class _Slot:
    """What the windows that ended in one stretch of time have reached at most."""

    from_s: float
    rows: int
    levels: Levels
    collapse: float | None
    evidence: dict[str, float]

    def worsen(self, rows: int, levels: Levels, collapse: float | None, evidence: Mapping[str, float]) -> None:
        """Keep the worst of what is known and what is new."""
        self.rows = max(self.rows, rows)
        np.maximum(self.levels, levels, out=self.levels)
        if collapse is not None:
            self.collapse = max(collapse, self.collapse or 0.0)
        for cause, ratio in evidence.items():
            self.evidence[cause] = max(ratio, self.evidence.get(cause, 0.0))


@dataclass(slots=True)
class _Track:
    """Slots of one length, the oldest forgotten."""

    span_s: float
    slots: deque[_Slot]

    def add(
        self, end_s: float, rows: int, levels: Levels, collapse: float | None, evidence: Mapping[str, float]
    ) -> None:
        from_s = end_s // self.span_s * self.span_s
        if not self.slots or from_s > self.slots[-1].from_s:
            self.slots.append(_Slot(from_s, rows, levels.copy(), collapse, dict(evidence)))
        else:
            self.slots[-1].worsen(rows, levels, collapse, evidence)


@dataclass(slots=True)
class StreamHistory:
    """The last windows of one stream, tick by tick, and a day of them in stretches of ten minutes.

    Memory: 324 times 4 bytes a feature.
    """

    names: tuple[str, ...]
    tick_s: float
    tracks: dict[str, _Track] = field(init=False)

    def __post_init__(self) -> None:
        self.tracks = {
            "fine": _Track(self.tick_s, deque(maxlen=FINE)),
            "coarse": _Track(max(COARSE_S, self.tick_s), deque(maxlen=COARSE)),
        }

    def add(self, end_s: float, found: Assessment, evidence: EvidenceStream | None, thresholds: Thresholds) -> None:
        """Add the window that ended at a tick's end."""
        levels = np.array([feature_level(feature, thresholds) for feature in found.features], dtype=np.float32)
        collapse = found.confidence.collapse_index if found.confidence else None
        causes = evidence.levels() if evidence else {}
        ratios: dict[str, float] = {cause: max(0.0, nats) / page_nats for cause, (nats, page_nats) in causes.items()}
        for track in self.tracks.values():
            track.add(end_s, found.rows, levels, collapse, ratios)

    def view(self) -> dict[str, Any]:
        """Return both tracks, ready for JSON."""
        return {name: self._track(track) for name, track in self.tracks.items()}

    def newest(self) -> dict[str, Any]:
        """Return the newest window in short."""
        slot = self.tracks["fine"].slots[-1]
        worst = int(slot.levels.argmax()) if len(slot.levels) else None
        return {
            "level": round(float(slot.levels[worst]), 3) if worst is not None else 0.0,
            "feature": self.names[worst] if worst is not None else None,
            "collapse_index": slot.collapse,
            "evidence": max(slot.evidence.values(), default=None),
        }

    def _track(self, track: _Track) -> dict[str, Any]:
        slots = list(track.slots)
        levels_tf = np.array([slot.levels for slot in slots]).reshape(len(slots), len(self.names))
        causes = sorted({cause for slot in slots for cause in slot.evidence})
        return {
            "span_s": track.span_s,
            "at": [slot.from_s for slot in slots],
            "rows": [slot.rows for slot in slots],
            "collapse_index": [slot.collapse for slot in slots],
            "evidence": [
                {"cause": cause, "ratios": _rounded(s.evidence.get(cause) for s in slots)} for cause in causes
            ],
            "features": [
                {"name": self.names[f], "levels": _rounded(levels_tf[:, f].tolist())} for f in _shown(levels_tf)
            ],
        }


class HistoryBook:
    """The histories of all streams that are known."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._streams: dict[StreamKey, StreamHistory] = {}

    def add(self, key: StreamKey, end_s: float, found: Assessment, evidence: EvidenceStream | None) -> None:
        """Add a window of a stream; one with other features than before begins anew."""
        names = tuple(feature.name for feature in found.features)
        known = self._streams.get(key)
        if known is None or known.names != names:
            known = self._streams[key] = StreamHistory(names, self._thresholds.tick_s)
        known.add(end_s, found, evidence, self._thresholds)

    def keep(self, keys: Iterable[StreamKey]) -> None:
        """Forget the streams that are not among these."""
        kept = set(keys)
        self._streams = {key: found for key, found in self._streams.items() if key in kept}

    def view(self, model: str) -> list[dict[str, Any]]:
        """Return the histories of a model's streams, ready for JSON."""
        return [{**_names(key), **found.view()} for key, found in self._streams.items() if key.model == model]

    def newest(self, model: str) -> list[dict[str, Any]]:
        """Return the newest window of a model's streams in short."""
        return [{**_names(key), **found.newest()} for key, found in self._streams.items() if key.model == model]


def _names(key: StreamKey) -> dict[str, str]:
    return {"version": key.version, "variant": key.variant}


def _shown(levels_tf: Levels) -> Sequence[int]:
    """Return the features that have moved furthest, in the order of the contract."""
    peaks_f = levels_tf.max(axis=0) if len(levels_tf) else np.zeros(levels_tf.shape[1])
    return sorted(np.argsort(-peaks_f, kind="stable")[:MOST_FEATURES].tolist())


def _rounded(numbers: Iterable[float | None]) -> list[float | None]:
    return [None if number is None else round(number, 3) for number in numbers]
