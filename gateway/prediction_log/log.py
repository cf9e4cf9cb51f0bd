"""The prediction log of the watch: takes what the workers tell, and writes it in a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator

from gateway.prediction_log.folder import LogFolder
from gateway.prediction_log.lines import LogRecords
from gateway.prediction_log.writer import LogWriter, rows_of
from gateway.settings import PredictionLogSettings
from monitors.ports import Clock
from monitors.records import Failures, Observation, StreamInfo

__all__ = ["PredictionLog"]

QUEUE_BYTES = 64 * 1024 * 1024
_PAUSE_S = 1.0
_END_S = 10.0
_ROW_BYTES = 500
_log = logging.getLogger(__name__)

Block = Observation | Failures
Total = tuple[str, dict[str, str], float]


class PredictionLog:
    """Take records on the loop, write them in a thread; what does not fit between the two is dropped and counted.

    Parameters
    ----------
    settings
        With a path.
    salt
        Key of the hashes that stand for hashed features, at most 64 bytes.
    queue_bytes
        Most bytes, roughly, that wait for the thread.

    Notes
    -----
    ``take`` and ``totals`` belong to one thread, the loop's.
    """

    def __init__(
        self, settings: PredictionLogSettings, clock: Clock, *, salt: bytes, queue_bytes: int = QUEUE_BYTES
    ) -> None:
        assert settings.path is not None
        self._records = LogRecords(redact=settings.redact, hashed=settings.hash, salt=salt)
        self._writer = LogWriter(LogFolder(settings.path), self._records, settings, clock)
        self._queue: queue.SimpleQueue[Block | None] = queue.SimpleQueue()
        self._queue_bytes = queue_bytes
        self._put_bytes = self._got_bytes = self._overflown = 0
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, record: object) -> None:
        """Take what came over a channel; what is not for the log is left alone. Never waits."""
        if isinstance(record, StreamInfo):
            self._records.learn(record)
        elif isinstance(record, Observation | Failures):
            size = _bytes_of(record)
            if self._put_bytes - self._got_bytes + size > self._queue_bytes:
                self._overflown += rows_of(record)
            else:
                self._put_bytes += size
                self._queue.put(record)

    def totals(self) -> Iterator[Total]:
        """Yield name, labels and value of what is counted, and the bytes that lie in the folder."""
        writer = self._writer
        for kind in ("answer", "failure"):
            yield "weir_prediction_log_records_total", {"kind": kind}, float(writer.written[kind])
        for reason, count in [*list(writer.dropped.items()), ("queue_full", self._overflown)]:
            yield "weir_prediction_log_dropped_total", {"reason": reason}, float(count)
        yield "weir_prediction_log_written_bytes_total", {}, float(writer.written_bytes)
        yield "weir_prediction_log_size_bytes", {}, float(writer.size_bytes)

    def close(self) -> None:
        """Write what waits, close the file and end the thread. Blocks for ten seconds at most."""
        self._queue.put(None)
        self._thread.join(_END_S)

    def _run(self) -> None:
        while (block := self._next()) is not None:
            self._write(block)
            self._tick()
        self._writer.close()

    def _next(self) -> Block | None:
        """Return the next block; tidy up while there is none."""
        while True:
            try:
                return self._queue.get(timeout=_PAUSE_S)
            except queue.Empty:
                self._tick()

    def _tick(self) -> None:
        try:
            self._writer.tick()
        except Exception:
            _log.exception("the files of the prediction log could not be tidied; it will be tried again")

    def _write(self, block: Block) -> None:
        try:
            self._writer.take(block)
        except Exception:
            self._writer.dropped["invalid"] += rows_of(block)
            _log.exception("a block of the prediction log could not be written")
        finally:
            self._got_bytes += _bytes_of(block)


def _bytes_of(block: Block) -> int:
    if isinstance(block, Observation):
        return block.values_nd.nbytes + block.scores_nk.nbytes + _ROW_BYTES * len(block.request_ids)
    return _ROW_BYTES * len(block.failures)
