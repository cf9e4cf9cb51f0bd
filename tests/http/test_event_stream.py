"""The overview as a stream: one read for all, bounded, and over when it should be."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import StreamsTaken, WatchUnavailable
from gateway.http.event_stream import Overviews, OverviewStream

EVERY_S = 0.02


class Watch:
    """A watch whose overview is what the test says, and that may be away."""

    def __init__(self) -> None:
        self.page, self.is_away, self.reads = b"{}", False, 0

    async def read(self) -> bytes:
        self.reads += 1
        if self.is_away:
            raise WatchUnavailable
        return self.page


class Follower:
    """A client on one stream: what it got, and when it leaves."""

    def __init__(self, stream: OverviewStream) -> None:
        self.got: list[bytes] = []
        self.ended = False
        self._left = asyncio.Event()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(stream({"type": "http", "method": "GET"}, self._receive, self._send))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10.0):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def leave(self) -> None:
        self._left.set()
        await self._task

    async def end(self) -> None:
        async with asyncio.timeout(10.0):
            await self._task

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            self.got.append(message["body"])
            self.ended = not message["more_body"]
        self._changed.set()


def follow(overviews: Overviews, is_over: Callable[[], bool] = lambda: False) -> Follower:
    return Follower(overviews.follow(is_over))


def events(follower: Follower) -> list[bytes]:
    return [part.split(b"\n")[0] for part in follower.got if part.startswith(b"event")]


def test_an_event_comes_whenever_the_overview_has_changed() -> None:
    async def run() -> None:
        watch = Watch()
        follower = follow(Overviews(watch.read, is_draining=lambda: False, every_s=EVERY_S))
        await follower.until(lambda: b"event: overview\ndata: {}\n\n" in follower.got)
        seen = watch.reads
        watch.page = b'{"at":2}'
        await follower.until(lambda: b'event: overview\ndata: {"at":2}\n\n' in follower.got)
        watch.is_away = True
        await follower.until(lambda: b"event: away\ndata: {}\n\n" in follower.got)
        assert events(follower) == [b"event: overview", b"event: overview", b"event: away"]
        assert watch.reads > seen
        await follower.leave()

    asyncio.run(run())


def test_all_streams_share_one_read_a_turn() -> None:
    async def run() -> None:
        watch = Watch()
        overviews = Overviews(watch.read, is_draining=lambda: False, every_s=3600.0)
        followers = [follow(overviews) for _ in range(5)]
        for follower in followers:
            await follower.until(lambda follower=follower: bool(events(follower)))  # type: ignore[misc]  # bound now
        assert watch.reads <= 2  # an hour may end in between
        for follower in followers:
            await follower.leave()

    asyncio.run(run())


def test_so_many_streams_are_open_at_most_and_one_that_leaves_makes_room() -> None:
    async def run() -> None:
        overviews = Overviews(Watch().read, is_draining=lambda: False, most=2, every_s=EVERY_S)
        first, second = follow(overviews), follow(overviews)
        await second.until(lambda: bool(events(second)))
        with pytest.raises(StreamsTaken, match="2 event streams"):
            overviews.follow(lambda: False)
        await first.leave()
        third = follow(overviews)
        await third.until(lambda: bool(events(third)))
        await second.leave()
        await third.leave()
        assert overviews.open == 0

    asyncio.run(run())


@pytest.mark.parametrize("why", ["session", "draining"])
def test_a_stream_ends_with_its_session_and_with_its_worker(why: str) -> None:
    async def run() -> None:
        over: set[str] = set()
        overviews = Overviews(Watch().read, is_draining=lambda: "draining" in over, every_s=EVERY_S)
        follower = follow(overviews, lambda: "session" in over)
        await follower.until(lambda: bool(events(follower)))
        over.add(why)
        await follower.end()
        assert follower.got[-2] == b'event: bye\ndata: "%b"\n\n' % why.encode()
        assert follower.ended
        assert overviews.open == 0

    asyncio.run(run())


def test_the_head_alone_takes_no_place() -> None:
    async def scenario() -> None:
        overviews, sent = Overviews(Watch().read, is_draining=lambda: False, most=1), list[Any]()

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            await asyncio.Event().wait()

        await overviews.follow(lambda: False)({"type": "http", "method": "HEAD"}, receive, send)
        assert overviews.open == 0
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    asyncio.run(scenario())
