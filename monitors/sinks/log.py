"""Alert transitions as JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TextIO

from monitors.records import Alert

__all__ = ["JsonLinesSink"]


class JsonLinesSink:
    """Write each transition as one line of JSON and flush it.

    Parameters
    ----------
    stream
        An open text stream; the caller closes it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def publish(self, alert: Alert) -> None:
        """Write one line."""
        self._stream.write(json.dumps(asdict(alert), separators=(",", ":")) + "\n")
        self._stream.flush()
