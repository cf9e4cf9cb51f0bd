"""Steps that are repeated: one that fails is told and tried again, and all end when they are told to."""

import asyncio
import logging

import pytest

from gateway.background import Background


def test_a_step_that_fails_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        background, tries, done = Background(), 0, asyncio.Event()

        async def step() -> None:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise OSError("not now")
            done.set()

        background.every(0.0, step, name="step")
        await asyncio.wait_for(done.wait(), 10)
        await background.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(check())
    assert [record.getMessage() for record in caplog.records] == [
        "a background step failed; it will be tried again"
    ] * 2


def test_steps_that_wait_for_nothing_are_repeated_too_and_all_end_together() -> None:
    async def check() -> None:
        background, done = Background(), asyncio.Event()
        is_cancelled = False

        async def hang() -> None:
            nonlocal is_cancelled
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                is_cancelled = True
                raise

        background.every(0.0, done.set, name="set")
        background.every(0.0, hang, name="hang")
        await asyncio.wait_for(done.wait(), 10)
        await asyncio.sleep(0)
        await background.stop()
        assert is_cancelled
        done.clear()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not done.is_set()

    asyncio.run(check())
