"""Whatever bytes a client sends: both ways into a worker answer alike, in whatever pieces, and nothing is left over."""

import logging
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.http_streams import Stream, streams
from tests.http.both_ways import Versions, Way, Worker, load_versions
from tests.http.wire import Client, passes

Told = tuple[list[tuple[int, list[tuple[str, str]], bytes]], bool]
MANY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return load_versions(tmp_path_factory.mktemp("models"))


@given(sent=st.lists(streams(), min_size=1, max_size=4))
@MANY
def test_both_ways_answer_the_same_to_any_bytes(versions: Versions, sent: list[Stream]) -> None:
    assert told("fast", versions, sent) == told("asgi", versions, sent)


def told(way: Way, versions: Versions, sent: list[Stream]) -> list[list[Told]]:
    """Send each stream at once, in its pieces, and in its pieces with time between them; give what came back."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _told(Worker(way, Path(folder), versions), sent)
    finally:
        logging.getLogger().removeHandler(errors)
        assert errors.lines == []


def _told(worker: Worker, sent: list[Stream]) -> list[list[Told]]:
    found: list[list[Told]] = []

    async def scenario() -> None:
        for stream in sent:
            at_once, in_pieces, slowly = [worker.connect() for _ in range(3)]
            at_once.send(stream.data)
            in_pieces.send(*stream.segments())
            for segment in stream.segments():
                slowly.send(segment)
                await settled(slowly)
            answers = [await outcome(client) for client in (at_once, in_pieces, slowly)]
            assert answers[0] == answers[1], stream
            found.append(answers)

    worker.run(scenario)
    worker.close()
    return found


async def outcome(client: Client) -> Told:
    await settled(client)
    answers = client.received()
    assert client.transport.is_closing() or not client.unread, "the connection stands still"
    assert all(answer["connection"] is None for answer in answers[:-1])
    return [answer.comparable() for answer in answers], client.transport.is_closing()


async def settled(client: Client) -> None:
    """Wait until nothing happens any more."""
    before = -1
    while before != (before := len(client.transport.written) + client.unread):
        await passes(40)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.parametrize("way", ["fast", "asgi"])
@pytest.mark.parametrize("before", [b"\r\n\r\n", b"\n\r\n\r\n", b"\r\n"])
def test_what_stands_before_one_request_is_no_head_of_the_next(versions: Versions, way: Way, before: bytes) -> None:
    """Heads that were seen before are known by their bytes; blank lines before a request are not its head."""
    body = b'{"instances": [{"x": 1}]}'.ljust(100)
    asked = before + b"POST /predict/m HTTP/1.1\r\nhost: weir\r\ncontent-length: 100\r\n\r\n" + body
    probe = b"GET /livez HTTP/1.1\r\nhost: weir\r\nx: %b\r\n\r\n"
    probe %= b"a" * (100 - len(probe % b""))
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(way, Path(folder), versions)

        async def scenario() -> None:
            for raw, told_of in ((asked, b"predictions"), (asked, b"predictions"), (before + probe, b"alive")):
                client = worker.connect()
                client.send(raw)
                answer = await client.answer()
                assert (answer.status, told_of in answer.body) == (200, True)

        worker.run(scenario)
        worker.close()
