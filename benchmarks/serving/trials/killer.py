"""Kill a gateway's processes of one kind again and again: ``killer ROOT MODULE SECONDS``, until it is terminated."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

from benchmarks.serving.trials.aside import READY
from benchmarks.serving.trials.gateway import Gateway

__all__: list[str] = []


def main() -> None:
    """Kill whatever runs, wait, and again."""
    server, module, every_s = Gateway(0, int(sys.argv[1])), sys.argv[2], float(sys.argv[3])
    print(READY, flush=True)
    while True:
        for pid in server.processes(module):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(every_s)


if __name__ == "__main__":
    main()
