"""The stand-alone monitor: ``python -m monitors --listen SOCKET`` prints alert transitions as JSON lines."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from monitors.service import MonitorService
from monitors.sinks.log import JsonLinesSink
from monitors.thresholds import Thresholds
from monitors.transport.channel import ChannelServer

__all__ = ["main", "watch"]


class WallClock:
    """The system's clock."""

    def unix_s(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()


async def watch(listen: Path, thresholds: Thresholds, stop: asyncio.Event) -> None:
    """Serve the channel and tick until told to stop."""
    service = MonitorService(thresholds, WallClock(), sinks=[JsonLinesSink(sys.stdout)])
    server = ChannelServer(listen, service.receive)
    await server.start()
    try:
        while not await _is_set(stop, min(thresholds.tick_s / 4.0, 0.5)):
            service.tick()
    finally:
        await server.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m monitors", description=__doc__)
    parser.add_argument("--listen", type=Path, required=True, help="Unix socket on which observations arrive")
    parser.add_argument("--tick-s", type=float, default=Thresholds().tick_s, help="length of a tick in seconds")
    parser.add_argument("--minimum-rows", type=int, default=Thresholds().minimum_rows, help="fewest rows to judge")
    options = parser.parse_args(arguments)
    thresholds = Thresholds(tick_s=options.tick_s, minimum_rows=options.minimum_rows)
    asyncio.run(_until_signal(options.listen, thresholds))


async def _until_signal(listen: Path, thresholds: Thresholds) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await watch(listen, thresholds, stop)


async def _is_set(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for the event at most so long."""
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False


if __name__ == "__main__":
    main()
