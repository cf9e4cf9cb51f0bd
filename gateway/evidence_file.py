"""The file in which the watch keeps its evidence, beside the state, so that a restart goes on where it stood."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

__all__ = ["EvidenceFile"]

MOST_BYTES = 256 * 1024**2
"""128 streams of 30 features are about 60 million."""

_log = logging.getLogger("weir.evidence")


class EvidenceFile:
    """One file, replaced whole, of mode 0600. What is lost with it is some evidence: no false page follows.

    Blocks: call it from a thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes | None:
        """Return the text that was saved last, ``None`` for none."""
        try:
            if self.path.stat().st_size > MOST_BYTES:
                _log.error("%s has more than %d bytes: evidence begins anew", self.path, MOST_BYTES)
                return None
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.error("%s cannot be read (%s): evidence begins anew", self.path, error.strerror)
            return None

    def save(self, text: bytes) -> None:
        """Replace the file; one that cannot be written is told and left as it is."""
        try:
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(text)
                os.replace(name, self.path)
            except BaseException:
                os.unlink(name)
                raise
        except OSError as error:
            _log.error("evidence is not saved in %s: %s", self.path, error.strerror)
