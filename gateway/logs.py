"""Log lines: one JSON object a line on standard error, with time, level, process, logger and what else is known."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Thread

__all__ = ["FIELDS", "JsonFormatter", "LineWriter", "configure_logging"]

FIELDS = (
    "request_id",
    "client",
    "method",
    "path",
    "status",
    "duration_ms",
    "version",
    "variant",
    "trace_id",
    "span_id",
)
"""What a record may say beside its message, in ``extra``; the line has those that it says."""
MOST_LINES = 10_000
CLOSE_S = 1.0


class JsonFormatter(logging.Formatter):
    """Format records as JSON.

    Parameters
    ----------
    process
        Name of the process in the tree.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: said for name in FIELDS if (said := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(level: str, process: str) -> None:
    """Send all log records of this process to standard error. Called by composition roots only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class LineWriter:
    """Writes one logger's records in a thread of its own, so that who logs never waits for the disk or a terminal.

    Parameters
    ----------
    dropped
        Called for each record that finds the queue full; it is not written.
    most
        Records that wait at most.
    """

    def __init__(self, logger: logging.Logger, dropped: Callable[[], None], *, most: int = MOST_LINES) -> None:
        self._queue: Queue[logging.LogRecord | None] = Queue(most)
        self._logger, self._handler = logger, _Bounded(self._queue, dropped)
        self._targets = tuple(logging.getLogger().handlers)
        self._thread = Thread(target=self._write, name="log-writer", daemon=True)
        logger.addHandler(self._handler)
        logger.propagate = False
        self._thread.start()

    def close(self) -> None:
        """Write what waits and end the thread, unless whoever reads the lines holds it up."""
        self._logger.removeHandler(self._handler)
        self._logger.propagate = True
        with suppress(Full):
            self._queue.put(None, timeout=CLOSE_S)
            self._thread.join(CLOSE_S)

    def _write(self) -> None:
        while (record := self._queue.get()) is not None:
            for target in self._targets:
                target.handle(record)


class _Bounded(logging.Handler):
    """Queues records, or counts them."""

    def __init__(self, queue: Queue[logging.LogRecord | None], dropped: Callable[[], None]) -> None:
        super().__init__()
        self._queue, self._dropped = queue, dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, which is formatted by the thread."""
        try:
            self._queue.put_nowait(record)
        except Full:
            self._dropped()
