"""Put on the path of a gateway by the soak: on SIGUSR1 a process writes how many asyncio tasks it has.

There is no other way to count tasks from outside, and a gateway should not have one for its operators.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path


def _write_tasks(*_: object) -> None:
    try:
        count = len(asyncio.all_tasks())
    except RuntimeError:
        return  # between two runs of the loop
    folder = Path(os.environ["TASK_COUNTS"])
    whole = folder / f".{os.getpid()}"
    whole.write_text(str(count))
    whole.rename(folder / str(os.getpid()))


if "TASK_COUNTS" in os.environ:
    signal.signal(signal.SIGUSR1, _write_tasks)
