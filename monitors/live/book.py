"""All live evidence of a host: streams by key, closed second by second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from monitors.evidence.acceptance import refusal
from monitors.evidence.document import described, read_model
from monitors.evidence.model import EvidenceModel
from monitors.live.roles import StandIns, chosen
from monitors.live.saved import SavedStream, encode_saved, read_saved, restore_stream, save_stream
from monitors.live.stream import EvidenceStream
from monitors.paging import STREAM_SHARES, Calibration, Paging
from monitors.records import FALLBACK_FLAG, Baseline, Observation, StreamInfo, StreamKey
from monitors.transport.documents import DocumentRefused

__all__ = ["EvidenceBook", "Fitted", "Unread", "fitted_of"]

GRACE_S = 1.0
MOST_SAVED = 128


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a version's rows are held against; without a model, ``why`` says why it is judged by effect alone.

    ``factor`` is how far thresholds rise beyond what the budget alone asks for.
    """

    model: EvidenceModel | None
    calibration: Calibration
    why: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Unread:
    """A version whose model is to be read, and the baseline that it is to be held against as of then."""

    info: StreamInfo
    baseline: Baseline | None

    def read(self) -> Fitted:
        """Return what the version's rows are held against; for how long that takes, see ``fitted_of``."""
        return fitted_of(self.info, self.baseline)


def fitted_of(info: StreamInfo, baseline: Baseline | None = None) -> Fitted:
    """Read a version's baseline or, without one, its ``evidence.json``.

    Takes half a second at 30 features, eight at 500: not for an event loop. A text that cannot be read, is of another
    contract, or of too short a reference to promise anything gives no model; a baseline that gives none is passed over.
    """
    if baseline is not None:
        accepted = fitted_of(replace(info, evidence=baseline.evidence))
        if accepted.model is not None:
            return Fitted(accepted.model, "baseline", factor=baseline.factor)
        own = fitted_of(info)
        return replace(own, why=f"the accepted baseline is not used: {accepted.why}")
    if not info.evidence:
        return Fitted(None, "uncalibrated", "the version has no evidence.json")
    try:
        model = read_model(info.evidence)
    except DocumentRefused as exc:
        return Fitted(None, "uncalibrated", f"evidence.json, {exc}")
    if why := refusal(described(model), info):
        return Fitted(None, "uncalibrated", f"evidence.json, {why}; run weir profile again")
    return Fitted(model, "profile")


class EvidenceBook:
    """Evidence of all stable and canary streams whose version has a fitted model.

    Parameters
    ----------
    paging
        Budgets and burn-in.
    recent_rows
        How many of a stream's newest rows effects are measured on.

    Notes
    -----
    A model is read when the first rows come that it is needed for. ``unread`` and ``learn`` are apart so that the owner
    may do so in a thread; everything else belongs to one thread.
    """

    def __init__(self, paging: Paging, *, recent_rows: int) -> None:
        self.paging = paging
        self._recent_rows = recent_rows
        self._accepted: dict[tuple[str, str, str], Baseline] = {}
        self._announced: dict[tuple[str, str, str], StreamInfo] = {}
        self._unread: dict[tuple[str, str, str], Unread] = {}
        self._fitted: dict[tuple[str, str, str], Fitted] = {}
        self._streams: dict[StreamKey, EvidenceStream] = {}
        self._saved: dict[StreamKey, SavedStream] = {}
        self._stand_ins: dict[str, StandIns] = {}

    def __iter__(self) -> Iterator[EvidenceStream]:
        return iter(tuple(self._streams.values()))

    def announce(self, info: StreamInfo) -> None:
        """Remember a version; what was known under its name is forgotten."""
        name = (info.model, info.version, info.digest)
        self._announced[name] = info
        self._begin_anew(name)

    def accept(self, baselines: Iterable[Baseline]) -> None:
        """Hold versions against these baselines from now on, and against their tables those that have none any more.

        Evidence of a version whose reference changes begins anew, after a burn-in.
        """
        before = self._accepted
        self._accepted = {(each.model, each.version, each.digest): each for each in baselines}
        for name in {*before, *self._accepted}:
            if before.get(name) != self._accepted.get(name) and name in self._announced:
                self._begin_anew(name)

    def unread(self) -> list[Unread]:
        """Return the versions whose model is to be read, since rows of them have come."""
        return list(self._unread.values())

    def is_unread(self, model: str, version: str, digest: str) -> bool:
        """Whether a version's model is still to be read."""
        return (model, version, digest) not in self._fitted

    def learn(self, unread: Unread, fitted: Fitted) -> None:
        """Take what was read for a version, unless it was announced anew or got another baseline meanwhile."""
        name = (unread.info.model, unread.info.version, unread.info.digest)
        if self._unread.get(name) is unread:
            del self._unread[name]
            self._fitted[name] = fitted

    def fitted(self, model: str, version: str, digest: str) -> Fitted | None:
        """Return what a version's rows are held against, ``None`` before it was read."""
        return self._fitted.get((model, version, digest))

    def find(self, key: StreamKey) -> EvidenceStream | None:
        """Return the evidence of a stream."""
        return self._streams.get(key)

    def state(self) -> bytes:
        """Return all that changes of the streams as text; of streams that have not come back yet, what was restored."""
        return encode_saved((*self._saved.values(), *(save_stream(stream) for stream in self._streams.values())))

    def restore(self, text: bytes) -> None:
        """Continue the streams of a text as their first rows come.

        Raises
        ------
        DocumentRefused
            For text that is no such document.
        """
        self._saved = {saved.key: saved for saved in read_saved(text)[:MOST_SAVED]}

    def take(self, seen: Observation, now_s: float) -> bool:
        """Count a block of rows; return whether they have just broken a rule.

        Raises
        ------
        ValueError
            When the rows have other columns than the reference had.
        """
        if seen.key.variant == "stable":
            self._take_stand_ins(seen)
        stream = self._streams.get(seen.key) or self._begin(seen.key, now_s)
        return stream is not None and stream.take(seen, now_s)

    def end_seconds(self, now_s: float) -> list[EvidenceStream]:
        """End all seconds that were over a grace ago, and return the streams of which something was said."""
        until_s = int(np.floor(now_s - GRACE_S)) - 1
        spoken: dict[StreamKey, EvidenceStream] = {}
        for model in {key.model for key in self._streams}:
            streams = [stream for key, stream in self._streams.items() if key.model == model]
            for second in sorted({second for stream in streams for second in stream.seconds.pending(until_s)}):
                spoken |= {stream.key: stream for stream in self._end_second(model, second, streams)}
            for stream in streams:
                stream.seconds.close_until(until_s)
        return list(spoken.values())

    def keep(self, keys: Iterable[StreamKey], versions: Iterable[tuple[str, str, str]]) -> None:
        """Forget the streams and versions that are not among these."""
        kept, known = set(keys), set(versions)
        self._streams = {key: stream for key, stream in self._streams.items() if key in kept}
        self._fitted = {name: fitted for name, fitted in self._fitted.items() if name in known}
        self._announced = {name: info for name, info in self._announced.items() if name in known}
        self._unread = {name: unread for name, unread in self._unread.items() if name in known}
        models = {name[0] for name in known}
        self._stand_ins = {model: book for model, book in self._stand_ins.items() if model in models}

    def _begin_anew(self, name: tuple[str, str, str]) -> None:
        """Forget what was known of a version but what was announced."""
        for key in [key for key in self._streams if (key.model, key.version, key.digest) == name]:
            del self._streams[key]
        self._fitted.pop(name, None)
        self._unread.pop(name, None)
        if not self._announced[name].evidence and name not in self._accepted:
            self._fitted[name] = fitted_of(self._announced[name])

    def _begin(self, key: StreamKey, now_s: float) -> EvidenceStream | None:
        name = (key.model, key.version, key.digest)
        fitted = self._fitted.get(name)
        if fitted is None and key.variant in STREAM_SHARES and name in self._announced and name not in self._unread:
            self._unread[name] = Unread(self._announced[name], self._accepted.get(name))
        if fitted is None or fitted.model is None or key.variant not in STREAM_SHARES:
            return None
        budget = self.paging.stream_budget(key.model, key.variant)
        stream = EvidenceStream(
            key,
            fitted.model,
            replace(budget, share=budget.share / fitted.factor),
            fitted.calibration,
            counts_from_s=now_s + self.paging.burn_in_s,
            recent_rows=self._recent_rows,
        )
        if key in self._saved:
            with suppress(DocumentRefused):  # of another model: begin anew
                restore_stream(stream, self._saved.pop(key))
        self._streams[key] = stream
        return stream

    def _take_stand_ins(self, seen: Observation) -> None:
        instead_n = (seen.flags_n & FALLBACK_FLAG) != 0
        if not instead_n.any():
            return
        book = self._stand_ins.setdefault(seen.key.model, StandIns())
        seconds, counts = np.unique(np.floor(seen.answered_at_n[instead_n]).astype(np.int64), return_counts=True)
        for second, rows in zip(seconds.tolist(), counts.tolist(), strict=True):
            book.take(second, rows, seen.sampled_ratio)

    def _end_second(self, model: str, second: int, streams: list[EvidenceStream]) -> Iterator[EvidenceStream]:
        counted = chosen(second, streams)
        for stream in streams:
            counts = counted.get(stream.key.variant) is stream
            if counts and stream.key.variant == "canary":
                found, book = stream.seconds.find(second), self._stand_ins.get(model)
                counts = book is None or not book.holds(second, found.rows if found else 0)
            if stream.end_second(second, counts=counts):
                yield stream
