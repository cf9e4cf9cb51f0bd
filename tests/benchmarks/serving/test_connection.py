"""The reader of answers: whatever pieces they come in."""

import select
import socket
from collections.abc import Iterator

import pytest

from benchmarks.serving.connection import Connection, ConnectionLost, answer_bounds
from tests.benchmarks.serving.answering import answer

BODY = b'{"predictions":[1]}'
LENGTH = answer(200, BODY, b"X-Variant: canary")
CHUNKED = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(listener.getsockname()[1])
        server, _ = listener.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with server:
            yield connection, server
        connection.close()


def take(connection: Connection) -> bool:
    """Read once something has come."""
    readable, _, _ = select.select([connection.fileno], [], [], 5.0)
    assert readable
    return connection.receive()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_an_answer_in_pieces_of_any_size_is_complete_with_its_last_byte(
    pair: tuple[Connection, socket.socket], size: int
) -> None:
    connection, server = pair
    for _ in range(2):
        pieces = [LENGTH[at : at + size] for at in range(0, len(LENGTH), size)]
        for i, piece in enumerate(pieces):
            server.sendall(piece)
            assert take(connection) is (i == len(pieces) - 1)
        assert connection.answer == (200, BODY)
        assert b"X-Variant: canary" in connection.answers[0][2]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pipelined_requests_are_answered_when_all_of_them_are(
    pair: tuple[Connection, socket.socket], size: int
) -> None:
    connection, server = pair
    connection.pipelined = 3
    said = LENGTH + CHUNKED + LENGTH
    for _ in range(2):
        for at in range(0, len(said), size):
            server.sendall(said[at : at + size])
            assert take(connection) is (at + size >= len(said))
        assert [status for status, *_ in connection.answers] == [200, 503, 200]
        assert connection.ok == 2


def test_a_chunked_answer_is_complete_with_its_last_chunk(pair: tuple[Connection, socket.socket]) -> None:
    connection, server = pair
    for piece in (CHUNKED[:-1], CHUNKED[-1:]):
        server.sendall(piece)
        complete = take(connection)
    assert complete
    assert connection.answer[0] == 503


def test_a_connection_is_busy_from_the_request_to_the_answer(pair: tuple[Connection, socket.socket]) -> None:
    connection, server = pair
    connection.send(b"ask", 12.5)
    assert (connection.busy, connection.sent_at_s) == (True, 12.5)
    assert server.recv(10) == b"ask"
    server.sendall(LENGTH)
    assert take(connection)
    assert not connection.busy


def test_a_server_that_closes_is_a_lost_connection(pair: tuple[Connection, socket.socket]) -> None:
    connection, server = pair
    server.sendall(LENGTH[:20])
    assert not take(connection)
    server.close()
    with pytest.raises(ConnectionLost):
        take(connection)


@pytest.mark.parametrize("cut", range(len(LENGTH) - len(BODY)))
def test_bounds_are_unknown_before_the_head_is_whole(cut: int) -> None:
    assert answer_bounds(LENGTH[:cut]) is None


def test_bounds_are_known_with_the_head_whatever_its_case_and_spaces() -> None:
    for head in (b"CONTENT-LENGTH: 4", b"content-length:4", b"Content-Length:  4 "):
        data = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"
        assert answer_bounds(data) == (len(data), len(data) + 4)
