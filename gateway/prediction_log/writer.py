"""The writer of the log: from blocks of records to files that rotate and go; a full disk costs records only."""

from __future__ import annotations

import logging
from collections import Counter

from gateway.codec.log_lines import encode_lines
from gateway.prediction_log.active import ActiveFile
from gateway.prediction_log.folder import LogFolder, Segment
from gateway.prediction_log.lines import LogRecords, RecordRefused
from gateway.prediction_log.sealing import seal
from gateway.settings import PredictionLogSettings
from monitors.ports import Clock
from monitors.records import Failures, Observation

__all__ = ["LogWriter", "rows_of"]

MIB = 1 << 20
TIDY_EVERY_S = 60.0
_log = logging.getLogger(__name__)


class LogWriter:
    """Write blocks to the files of a folder. Blocks; belongs to one thread.

    Parameters
    ----------
    folder
        Where; it is claimed when the first block comes.
    records
        Knows the versions, and what may be kept.
    settings
        Sizes, ages, packing.

    Attributes
    ----------
    written
        Records by kind.
    dropped
        Records by reason.
    written_bytes
        Bytes of lines.
    """

    def __init__(self, folder: LogFolder, records: LogRecords, settings: PredictionLogSettings, clock: Clock) -> None:
        self._folder, self._records, self._settings, self._clock = folder, records, settings, clock
        self._active: ActiveFile | None = None
        self._is_troubled = False
        self._tidy_at = 0.0
        self.written: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.written_bytes = self.size_bytes = 0

    def take(self, block: Observation | Failures) -> None:
        """Write a block as lines; one that cannot be written is dropped and counted. Never raises for a disk."""
        try:
            records = self._records.answers(block) if isinstance(block, Observation) else self._records.failures(block)
            lines = encode_lines(records)
            self._file().append(lines)
        except RecordRefused as refused:
            self.dropped[str(refused)] += rows_of(block)
        except OSError as exc:
            self.dropped["disk"] += rows_of(block)
            self._tell(exc)
        else:
            self.written["answer" if isinstance(block, Observation) else "failure"] += len(records)
            self.written_bytes += len(lines)
            self._recovered()

    def tick(self) -> None:
        """Rotate what is old, close what a killed writer left open, delete what is too old or too much."""
        active, now_s = self._active, self._clock.unix_s()
        if active is not None and now_s - active.opened_s >= self._settings.rotate_s:
            self._rotate()
        if self._clock.monotonic_s() >= self._tidy_at:
            self._tidy_at = self._clock.monotonic_s() + TIDY_EVERY_S
            self._try_to_tidy()

    def close(self) -> None:
        """Close the file that is being written, and let another writer have the folder."""
        self._rotate()
        self._folder.release()

    def _file(self) -> ActiveFile:
        """Return the file to write to, opening or replacing it where that is due."""
        if self._active is not None and (
            self._active.is_gone or self._active.size_bytes >= self._settings.file_mb * MIB
        ):
            self._rotate()
        if self._active is None:
            self._folder.claim()
            self._active = ActiveFile(self._folder, self._clock.unix_s())
        return self._active

    def _rotate(self) -> None:
        active, self._active = self._active, None
        if active is not None:
            active.close()
            self._try_to_tidy()

    def _tidy(self) -> None:
        """Close every file but the active one, then keep within ages and sizes."""
        self._folder.claim()
        try:
            for segment in self._folder.segments():
                if segment != self._segment and not segment.is_sealed and segment.plain.exists():
                    seal(segment, pack=self._settings.compress == "gzip")
        finally:
            most_mb = self._settings.keep_mb - self._settings.file_mb
            oldest_s = self._clock.unix_s() - self._settings.keep_days * 86_400.0
            self._folder.trim(oldest_s=oldest_s, most_bytes=most_mb * MIB, but=self._segment)
            self.size_bytes = self._folder.size_bytes()

    @property
    def _segment(self) -> Segment | None:
        return None if self._active is None else self._active.segment

    def _try_to_tidy(self) -> None:
        try:
            self._tidy()
        except OSError as exc:
            self._tell(exc)

    def _tell(self, exc: OSError) -> None:
        """Say it once: the counters say the rest."""
        if not self._is_troubled:
            self._is_troubled = True
            _log.error("the prediction log cannot be written, records are dropped: %s", exc)

    def _recovered(self) -> None:
        if self._is_troubled:
            self._is_troubled = False
            _log.warning("the prediction log is written again")


def rows_of(block: Observation | Failures) -> int:
    """Return how many records a block would make."""
    return len(block.request_ids) if isinstance(block, Observation) else len(block.failures)
