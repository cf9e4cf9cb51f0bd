"""One read for all who ask while an earlier one is under way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.http.shared_read import SharedRead


class Reads:
    """Reads that end when the test says so, each with its number."""

    def __init__(self) -> None:
        self.begun: list[asyncio.Future[int]] = []

    async def __call__(self) -> int:
        self.begun.append(asyncio.get_running_loop().create_future())
        return await self.begun[-1]

    async def end(self, number: int) -> None:
        self.begun[number].set_result(number)
        await passes()


async def passes() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(check: Callable[[Reads, SharedRead[int]], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        reads = Reads()
        await check(reads, SharedRead(reads))

    asyncio.run(whole())


def test_those_who_ask_during_a_read_share_the_next_one() -> None:
    async def check(reads: Reads, shared: SharedRead[int]) -> None:
        first = asyncio.ensure_future(shared())
        await passes()
        later = [asyncio.ensure_future(shared()) for _ in range(50)]
        await passes()
        assert len(reads.begun) == 1
        await reads.end(0)
        assert (first.result(), len(reads.begun), any(one.done() for one in later)) == (0, 2, False)
        await reads.end(1)
        assert {one.result() for one in later} == {1}

    run(check)


def test_who_asks_after_a_read_gets_a_fresh_one() -> None:
    async def check(reads: Reads, shared: SharedRead[int]) -> None:
        for number in range(3):
            asked = asyncio.ensure_future(shared())
            await passes()
            await reads.end(number)
            assert asked.result() == number

    run(check)


def test_one_who_leaves_disturbs_nobody() -> None:
    async def check(reads: Reads, shared: SharedRead[int]) -> None:
        leaver, stayer = asyncio.ensure_future(shared()), asyncio.ensure_future(shared())
        await passes()
        leaver.cancel()
        await passes()
        await reads.end(0)
        assert (leaver.cancelled(), stayer.result()) == (True, 0)

    run(check)


def test_a_failure_is_told_and_forgotten() -> None:
    async def check(reads: Reads, shared: SharedRead[int]) -> None:
        asked = asyncio.ensure_future(shared())
        await passes()
        reads.begun[0].set_exception(OSError("gone"))
        with pytest.raises(OSError, match="gone"):
            await asked
        again = asyncio.ensure_future(shared())
        await passes()
        await reads.end(1)
        assert again.result() == 1

    run(check)
