"""Checkpoints that the gateway writes by itself: after so many records, or so long after the first new one.

The process that writes them can read their key, so that each says ``key shared``: it proves something against those who
can write to the store and not to the gateway's host. Others are signed by ``weir audit checkpoint``, as another user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.audit.checkpoint import NOTE_BYTES, Checkpoint, open_checkpoint, sign_checkpoint
from gateway.audit.merkle import Frontier
from gateway.audit.signing_key import SigningKey
from gateway.errors import DocumentInvalid
from gateway.state.ledger import ChainBroken, rfc3339, verify
from gateway.state.store import EMPTY_HEAD, StateStore
from monitors.ports import Clock

__all__ = ["SUFFIX", "Checkpointer", "CheckpointsRefused", "is_due"]

SUFFIX = ".checkpoint"
PAGE = 200
PAGES_AT_ONCE = 10


class CheckpointsRefused(Exception):
    """The log is not what it was when a checkpoint was signed, or is not whole; nothing more is signed."""


def is_due(new_records: int, waited_s: float, *, most_records: int, longest_s: float) -> bool:
    """Return whether it is time for a checkpoint over records that none covers.

    Examples
    --------
    >>> is_due(1, 59.0, most_records=1_000, longest_s=60.0), is_due(1, 60.0, most_records=1_000, longest_s=60.0)
    (False, True)
    """
    return new_records >= most_records or (new_records > 0 and waited_s >= longest_s)


class Checkpointer:
    """Follow the chain of a store, check each record, write checkpoints into a folder. Blocks; one thread at a time.

    Parameters
    ----------
    folder
        Made where it is not there. The newest checkpoint in it, by size, is held against the log before anything is
        signed.

    Notes
    -----
    Memory grows with the logarithm of the log. A start reads all of it, 2,000 records a tick, 0.2 ms each.
    """

    def __init__(
        self, store: StateStore, key: SigningKey, folder: Path, clock: Clock, *, most_records: int, longest_s: float
    ) -> None:
        self._store = store
        self._key = key
        self._folder = folder
        self._clock = clock
        self._most_records, self._longest_s = most_records, longest_s
        self._tree, self._head = Frontier(), EMPTY_HEAD
        self._kept: Checkpoint | None = None
        self._is_kept_read = False
        self._covered, self._first_new_s = 0, 0.0
        self._written_unix_s = 0.0
        self._refused_at_s: float | None = None

    def tick(self) -> Path | None:
        """Take note of new records, and return the checkpoint that was written, if one was due.

        Raises
        ------
        CheckpointsRefused
            What was read does not follow from what was read before, or is not what the kept checkpoint says; or that
            one is not of this key.
        StoreUnavailable, OSError
            The store does not answer; the folder cannot be written.
        """
        try:
            if not self._is_kept_read:
                self._kept, self._is_kept_read = self._newest(), True
            self._require_grown()
            return self._write_if_due() if self._catch_up() else None
        except CheckpointsRefused:
            self._refused_at_s = self._clock.monotonic_s()
            raise

    def gauges(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Yield since when a checkpoint is due, and when the newest one was written, once one was."""
        yield "weir_audit_checkpoint_overdue_seconds", {}, self._overdue_s()
        if self._written_unix_s:
            yield "weir_audit_checkpoint_timestamp_seconds", {}, self._written_unix_s

    def _overdue_s(self) -> float:
        now_s = self._clock.monotonic_s()
        if self._refused_at_s is not None:
            return now_s - self._refused_at_s
        covered = max(self._covered, self._kept.size if self._kept else 0)
        return 0.0 if self._tree.size <= covered else max(0.0, now_s - self._first_new_s - self._longest_s)

    def _require_grown(self) -> None:
        """Refuse a log that is shorter than it was, here or when the newest checkpoint was signed."""
        size = self._store.head().sequence
        known = max(self._tree.size, self._kept.size if self._kept else 0)
        if size < known:
            raise CheckpointsRefused(
                f"there were {known} records, and the log has {size}: records were cut off; see weir audit verify "
                f"--checkpoint, with the newest file of {self._folder}"
            )

    def _catch_up(self) -> bool:
        """Read on, a bounded way; return whether the end was reached."""
        for _ in range(PAGES_AT_ONCE):
            try:
                records = self._store.audit(self._tree.size, PAGE)
                self._head = verify(records, self._head)
            except (ChainBroken, DocumentInvalid) as broken:
                raise CheckpointsRefused(f"the audit log is not whole: {broken}; see weir audit verify") from broken
            if records and self._tree.size == self._covered:
                self._first_new_s = self._clock.monotonic_s()
            for record in records:
                self._tree.append(bytes.fromhex(record.hash))
                self._compare()
            if len(records) < PAGE:
                return True
        return False

    def _compare(self) -> None:
        """Hold the tree to the kept checkpoint where it has that size: the log then only grew since."""
        kept = self._kept
        if kept is None or kept.size != self._tree.size:
            return
        if kept.root != self._tree.root():
            raise CheckpointsRefused(
                f"the first {kept.size} records are not those of the newest checkpoint in {self._folder}, of "
                f"{kept.time}: some were changed or replaced; see weir audit verify --checkpoint"
            )
        self._covered = kept.size

    def _write_if_due(self) -> Path | None:
        size, waited_s = self._tree.size, self._clock.monotonic_s() - self._first_new_s
        if not is_due(size - self._covered, waited_s, most_records=self._most_records, longest_s=self._longest_s):
            return None
        now_s = self._clock.unix_s()
        origin = self._key.verifier.name
        checkpoint = Checkpoint(origin, size, self._tree.root(), rfc3339(now_s), "shared")
        path = self._folder / f"{size:012d}{SUFFIX}"
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(sign_checkpoint(checkpoint, self._key), encoding="utf-8")
        draft.replace(path)
        self._covered, self._written_unix_s = size, now_s
        return path

    def _newest(self) -> Checkpoint | None:
        self._folder.mkdir(parents=True, exist_ok=True)
        found = [path for path in self._folder.glob(f"*{SUFFIX}") if path.name.removesuffix(SUFFIX).isdecimal()]
        newest = max(found, key=lambda path: int(path.name.removesuffix(SUFFIX)), default=None)
        if newest is None:
            return None
        with newest.open("rb") as file:
            note = file.read(NOTE_BYTES + 1)
        try:
            return open_checkpoint(note, self._key.verifier, str(newest))
        except DocumentInvalid as invalid:
            raise CheckpointsRefused(f"the newest checkpoint is none of this key: {invalid}") from invalid
