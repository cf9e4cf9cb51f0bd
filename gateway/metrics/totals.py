"""Totals over the counters of all workers, those alive and those that have ended.

Files of ended workers are folded into ``totals.json``. Readers and the folder exclude each other by a lock on the
directory, and ``totals.json`` names the workers that it contains and whose files may still be there, so a crash between
storing totals and deleting files counts nobody twice. All sums are of integers: in no order does a total shrink.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.metrics.catalogue import METRICS, Kind
from gateway.metrics.cells import (
    HEADER_WORDS,
    WORD_BYTES,
    Entry,
    Labels,
    cells_path,
    index_documents,
    index_path,
    is_complete,
    is_locked,
)

__all__ = ["CounterReader", "Series", "fold_ended", "live_workers", "read_counters"]

_Key = tuple[str, Labels, tuple[float, ...]]
_Totals = dict[_Key, list[int]]


@dataclass(frozen=True, slots=True)
class Series:
    """One time series.

    Of a histogram ``value`` is the count and ``buckets`` holds the count of each bucket apart, the last one unbounded.
    """

    name: str
    labels: dict[str, str]
    kind: Kind
    value: float
    buckets: tuple[int, ...] = ()
    sum: float = 0.0


@dataclass(frozen=True, slots=True)
class _Index:
    """What the index of a worker says, so far as it is known."""

    role: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Worker:
    """What one worker's files say. ``gauges`` is empty for one that has ended."""

    id: str
    role: str
    is_live: bool
    counts: _Totals
    gauges: dict[_Key, float]


class CounterReader:
    """Reads the counters in a directory time and again, and each line of an index once. One thread at a time.

    Parameters
    ----------
    directory
        Of the counters of all workers.

    Notes
    -----
    The first reading costs 15 us a series and worker, further ones 4 us. Memory: the indexes of the workers whose
    files are there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._indexes: dict[str, tuple[tuple[int, int], _Index]] = {}

    def read(self) -> list[Series]:
        """Return every series of every worker that ever counted here, summed, ordered by name and labels.

        A counter or histogram never reads lower than it did before.

        Raises
        ------
        FileNotFoundError
            There is no such directory.
        """
        with _locked(self._directory, fcntl.LOCK_SH):
            totals, folded = _load(self._directory)
            found = list(_workers(self._directory, self._index))
        self._indexes = {worker.id: self._indexes[worker.id] for worker in found}
        workers = [worker for worker in found if worker.id not in folded]
        for worker in workers:
            _add(totals, worker.counts)
        counted = [_count_series(key, words) for key, words in sorted(totals.items())]
        return counted + _gauge_series([worker for worker in workers if worker.is_live])

    def _index(self, path: Path) -> _Index:
        """Return what an index says, read again where it has grown or is another worker's of that name."""
        stamp, known = _stamp(path), self._indexes.get(path.stem)
        if known is None or known[0] != stamp:
            known = self._indexes[path.stem] = stamp, _read_index(path)
        return known[1]


def read_counters(directory: Path) -> list[Series]:
    """Return every series of every worker that ever counted in ``directory``; see ``CounterReader``."""
    return CounterReader(directory).read()


def live_workers(directory: Path) -> dict[str, str]:
    """Return the role of every worker that is alive, by worker id."""
    with _locked(directory, fcntl.LOCK_SH):
        return {worker.id: worker.role for worker in _workers(directory) if worker.is_live}


def fold_ended(directory: Path) -> int:
    """Add the counts of ended workers to ``totals.json``, delete their files, and return how many were added.

    A crash at any point leaves a state from which the next call goes on; totals are the same before, after and between.
    """
    with _locked(directory, fcntl.LOCK_EX):
        totals, folded = _load(directory)
        ended = list(_ended(directory))
        fresh = [worker for worker in ended if worker.id not in folded]
        for worker in fresh:
            _add(totals, worker.counts)
        if ended:
            _store(directory, totals, [worker.id for worker in ended])
            _delete(directory, ended)
            _store(directory, totals, [])
        return len(fresh)


def _delete(directory: Path, workers: list[_Worker]) -> None:
    for worker in workers:
        # The cells go last: a worker is found by its cells, and the index alone would never be found again.
        index_path(directory, worker.id).unlink(missing_ok=True)
        cells_path(directory, worker.id).unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path, mode: int) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        os.close(descriptor)


def _workers(directory: Path, index: Callable[[Path], _Index] | None = None) -> Iterator[_Worker]:
    for path in sorted(directory.glob("*.cells")):
        worker = _read_worker(directory, path.name.removesuffix(".cells"), index or _read_index)
        if worker is not None:
            yield worker


def _ended(directory: Path) -> Iterator[_Worker]:
    """Give the workers that have ended; one that lives costs a look at its lock."""
    for path in sorted(directory.glob("*.cells")):
        with path.open("rb") as cells:
            is_live = is_locked(cells.fileno())
        if not is_live and (worker := _read_worker(directory, path.stem, _read_index)) is not None:
            yield worker


def _read_worker(directory: Path, worker_id: str, index: Callable[[Path], _Index]) -> _Worker | None:
    try:
        descriptor = os.open(cells_path(directory, worker_id), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        # Before the words are read: those of a worker found ended are final.
        is_live = is_locked(descriptor)
        if not os.fstat(descriptor).st_size:
            return None
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as data:
            if not is_complete(data):
                return None
            return _parse(worker_id, index(index_path(directory, worker_id)), data, is_live=is_live)
    finally:
        os.close(descriptor)


def _parse(worker_id: str, index: _Index, data: mmap.mmap, *, is_live: bool) -> _Worker:
    words = len(data) // WORD_BYTES
    entries = [entry for entry in index.entries if entry.slot <= words - entry.width]
    counts: _Totals = {}
    gauges: dict[_Key, float] = {}
    # Word by word through a typed view: a copy of bytes could see half of a store.
    with memoryview(data) as view, view.cast("q") as integers, view.cast("d") as floats:
        for entry in entries:
            key = (entry.name, entry.labels, entry.bounds)
            if METRICS[entry.name].kind != "gauge":
                counts[key] = integers[entry.slot : entry.slot + entry.width].tolist()
            elif is_live:
                gauges[key] = floats[entry.slot]
    return _Worker(worker_id, index.role, is_live, counts, gauges)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _read_index(path: Path) -> _Index:
    try:
        documents = list(index_documents(path))
    except FileNotFoundError:
        documents = []
    role = str(documents[0].get("role", "")) if documents else ""
    return _Index(role, tuple(entry for document in documents[1:] if (entry := _entry(document)) is not None))


def _entry(document: dict[str, Any]) -> Entry | None:
    """Return the series of a line; ``None`` where it is no longer known, or a full disk or a crash left other words."""
    try:
        entry = Entry.from_document(document)
        is_text = all(isinstance(part, str) for pair in entry.labels for part in pair)
        is_placed = type(entry.slot) is int and entry.slot >= HEADER_WORDS
        return entry if is_text and is_placed and _is_known(entry) else None
    except (KeyError, TypeError, AttributeError):
        return None


def _is_known(entry: Entry) -> bool:
    metric = METRICS.get(entry.name)
    return metric is not None and metric.buckets == entry.bounds


def _add(totals: _Totals, counts: _Totals) -> None:
    for key, words in counts.items():
        before = totals.get(key)
        totals[key] = words if before is None else [a + b for a, b in zip(before, words, strict=True)]


def _count_series(key: _Key, words: list[int]) -> Series:
    name, labels, bounds = key
    metric = METRICS[name]
    if not bounds:
        return Series(name, dict(labels), metric.kind, words[0] if metric.scale == 1 else words[0] / metric.scale)
    return Series(name, dict(labels), metric.kind, sum(words[:-1]), tuple(words[:-1]), words[-1] / metric.scale)


def _gauge_series(workers: list[_Worker]) -> list[Series]:
    values: dict[_Key, list[float]] = {}
    for worker in workers:
        for key, value in worker.gauges.items():
            values.setdefault(key, []).append(value)
    return [_gauge(key, found) for key, found in sorted(values.items())]


def _gauge(key: _Key, values: list[float]) -> Series:
    divisor = len(values) if METRICS[key[0]].unit == "ratio" else 1
    return Series(key[0], dict(key[1]), "gauge", sum(values) / divisor)


def _load(directory: Path) -> tuple[_Totals, set[str]]:
    try:
        document = json.loads((directory / "totals.json").read_bytes())
    except FileNotFoundError:
        return {}, set()
    entries = ((Entry.from_document(row), row["words"]) for row in document["series"])
    totals = {(entry.name, entry.labels, entry.bounds): words for entry, words in entries if _is_known(entry)}
    return totals, set(document["folded"])


def _store(directory: Path, totals: _Totals, folded: list[str]) -> None:
    series = [
        {"name": name, "labels": dict(labels), "bounds": bounds, "slot": 0, "words": words}
        for (name, labels, bounds), words in totals.items()
    ]
    unnamed = directory / "totals.json.making"
    with unnamed.open("w", encoding="utf-8") as file:
        json.dump({"version": 1, "folded": folded, "series": series}, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    unnamed.replace(directory / "totals.json")
