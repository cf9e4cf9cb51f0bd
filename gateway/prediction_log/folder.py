"""The folder of the prediction log: its files by name, who writes there, and what is too old or too much."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["FolderInUse", "LogFolder", "Segment"]

_NAME = re.compile(r"(predictions-\d{8}T\d{6}\.\d{6}Z)\.(jsonl|jsonl\.gz|index|jsonl\.gz\.new|index\.new)")
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW


class FolderInUse(OSError):
    """Another process writes to this folder."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the log, under the names that it has in turn: plain, then packed with an index beside it."""

    folder: Path
    stem: str

    @property
    def plain(self) -> Path:
        """The lines."""
        return self.folder / f"{self.stem}.jsonl"

    @property
    def packed(self) -> Path:
        """The lines in gzip members."""
        return self.folder / f"{self.stem}.jsonl.gz"

    @property
    def index(self) -> Path:
        """The index, there once the file is closed."""
        return self.folder / f"{self.stem}.index"

    @property
    def is_sealed(self) -> bool:
        """Whether nothing more is to be done with it."""
        return self.index.exists() and not (self.plain.exists() and self.packed.exists())

    def remove(self) -> None:
        """Delete all of it; the index goes last, so that no reader takes a closed file for an open one."""
        for path in (self.plain, self.packed, self.index):
            path.unlink(missing_ok=True)


class LogFolder:
    """One folder, with one writer and any number of readers. Only files of the log's own names are ever touched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def claim(self) -> None:
        """Make the folder, and become its writer.

        Raises
        ------
        FolderInUse
            There is one already.
        OSError
            The folder cannot be made or written to.
        """
        if self._lock >= 0:
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / "writer.lock", os.O_RDWR | os.O_CREAT | _OPEN, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(lock)
            raise FolderInUse(exc.errno, "another gateway writes here", str(self.path)) from exc
        self._lock = lock
        self._clear_away()

    def release(self) -> None:
        """Let another one write."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def create(self, now_s: float) -> tuple[Segment, int]:
        """Open a new file for appending; it is named after the time and readable by its owner only."""
        moment = datetime.fromtimestamp(now_s, UTC)
        segment = Segment(self.path, f"predictions-{moment:%Y%m%dT%H%M%S.%f}Z")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | _OPEN
        return segment, os.open(segment.plain, flags, 0o600)

    def segments(self) -> list[Segment]:
        """Return the files of the log, oldest first; none where there is no folder."""
        stems = {stem for stem, kind in self._names() if not kind.endswith(".new")}
        return [Segment(self.path, stem) for stem in sorted(stems)]

    def size_bytes(self) -> int:
        """Return what the log takes on disk."""
        return sum(self._sizes().values())

    def trim(self, *, oldest_s: float, most_bytes: int, but: Segment | None) -> None:
        """Delete closed files that were last written to before a time, then the oldest beyond so many bytes.

        Parameters
        ----------
        oldest_s
            Unix time in seconds.
        but
            The file that is being written; it stays, and its bytes do not count.
        """
        sizes = self._sizes()
        closed = [segment for segment in self.segments() if segment != but]
        total = sum(sizes.get(segment.stem, 0) for segment in closed)
        for segment in closed:
            if total > most_bytes or _written_s(segment) < oldest_s:
                segment.remove()
                total -= sizes.get(segment.stem, 0)

    def _sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for stem, kind in self._names():
            try:
                size = (self.path / f"{stem}.{kind}").lstat().st_size
            except FileNotFoundError:
                continue
            sizes[stem] = sizes.get(stem, 0) + size
        return sizes

    def _names(self) -> list[tuple[str, str]]:
        try:
            entries = os.listdir(self.path)
        except FileNotFoundError:
            return []
        return [(found[1], found[2]) for entry in entries if (found := _NAME.fullmatch(entry))]

    def _clear_away(self) -> None:
        """Delete what a writer that was killed had half made."""
        for stem, kind in self._names():
            if kind.endswith(".new"):
                (self.path / f"{stem}.{kind}").unlink(missing_ok=True)


def _written_s(segment: Segment) -> float:
    for path in (segment.plain, segment.packed, segment.index):
        try:
            return path.lstat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0
