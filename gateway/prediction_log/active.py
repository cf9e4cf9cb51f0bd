"""The file that is being written: whole lines or nothing."""

from __future__ import annotations

import os
from contextlib import suppress

from gateway.prediction_log.folder import LogFolder

__all__ = ["ActiveFile"]


class ActiveFile:
    """One open file of the log.

    Notes
    -----
    Every append goes to the operating system at once, so a writer that is killed loses what it has not been given yet
    and tears at most the last line. Nothing waits for the disk.
    """

    def __init__(self, folder: LogFolder, now_s: float) -> None:
        self.segment, self._file = folder.create(now_s)
        self.opened_s, self.size_bytes = now_s, 0

    @property
    def is_gone(self) -> bool:
        """Whether somebody has deleted it."""
        return os.fstat(self._file).st_nlink == 0

    def append(self, lines: bytes) -> None:
        """Write lines.

        Raises
        ------
        OSError
            They could not be written; then the file ends as before.
        """
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with suppress(OSError):  # readers pass over a torn line
                os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes += len(lines)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)
