"""Lives of real processes: what they say of themselves, and how they end."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.child import Life
from gateway.heartbeat import BEAT_EVERY_S

DEAF = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(int(sys.argv[2]), b"+")
time.sleep(60)
"""
QUIT = "raise SystemExit(3)"
THREADS = "import os; raise SystemExit(int(os.environ['OPENBLAS_NUM_THREADS']))"


async def start(program: str, hang_s: float | None = None) -> Life:
    return await Life.start([sys.executable, "-c", program], (), hang_s=hang_s)


def run(story: Coroutine[Any, Any, None]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30):
            await story

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("hang_s", "within_s"),
    [pytest.param(0.5, 25.0, id="it has fallen silent"), pytest.param(25.0, 0.3, id="its time is over")],
)
def test_a_process_that_does_not_stop_is_killed(hang_s: float, within_s: float) -> None:
    async def story() -> None:
        life = await start(DEAF, hang_s)
        while not life.is_ready:
            await asyncio.wait({life.ended}, timeout=BEAT_EVERY_S / 10)
        began = asyncio.get_running_loop().time()
        assert not await life.end(within_s)
        assert asyncio.get_running_loop().time() < began + 20.0
        assert life.ended.result() == -signal.SIGKILL

    run(story())


def test_a_process_that_has_ended_is_told_with_its_status() -> None:
    async def story() -> None:
        life = await start(QUIT, hang_s=1.0)
        assert await life.ended == 3
        assert await life.end(within_s=0.0)
        await life.kill()

    run(story())


def test_a_process_becomes_as_nice_as_its_place() -> None:
    waits = "import os, time\nwhile not (found := os.getpriority(os.PRIO_PROCESS, 0)) > {}: time.sleep(0.01)\n"

    async def story() -> None:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        program = waits.format(own) + "raise SystemExit(found)"
        life = await Life.start([sys.executable, "-c", program], (), hang_s=None, niceness=3)
        assert await life.ended == own + 3

    run(story())


@pytest.mark.parametrize(
    ("said", "given"), [pytest.param(None, 1, id="nothing said"), pytest.param("3", 3, id="three")]
)
def test_numpy_has_one_thread_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str | None, given: int
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", said)

    async def story() -> None:
        assert await (await start(THREADS)).ended == given

    run(story())
