"""The load generator against a server that does what a test says."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.serving.connection import Connection
from benchmarks.serving.load import closed_loop, open_loop, rotating_loop
from tests.benchmarks.serving.answering import Answering, answer

REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
SHED = answer(503, b'{"type":"urn:weir:problem:overloaded","reason":"queue"}')
HINTED = answer(503, b"{}", b"Retry-After: 1")


def test_closed_loop_keeps_to_its_connections_and_counts_every_answer() -> None:
    with Answering(lambda _: answer(200)) as server:
        load = closed_loop(server.port, [REQUEST], 4, 0.2)
    assert server.connections == 4
    assert load.good == load.offered == load.statuses[200] == len(load.latencies_s)
    assert server.requests - 4 <= load.good <= server.requests
    assert load.seconds == pytest.approx(0.2, abs=0.1)


def test_a_connection_asks_for_other_rows_every_time() -> None:
    requests = [REQUEST.replace(b"/", b"/%d" % row, 1) for row in range(3)]
    with Answering(lambda i: answer(200, b"%d" % i)) as server:
        load = closed_loop(server.port, requests, 1, 0.1)
    assert server.asked[:7] == [requests[i % 3] for i in range(7)]
    ((row, (_, number)),) = load.samples
    assert row == int(number) % 3
    with Answering(lambda _: answer(200), together=2) as server:
        closed_loop(server.port, requests, 2, 0.1)
    assert set(server.asked[:2]) == set(requests[:2])


def test_closed_loop_may_sleep_for_answers() -> None:
    with Answering(lambda _: answer(200)) as server:
        load = closed_loop(server.port, [REQUEST], 1, 0.2, wait_s=0.05)
    assert load.good == load.statuses[200] > 0


def test_rotating_loop_goes_round_its_connections() -> None:
    seen: list[int] = []

    with Answering(lambda _: answer(200)) as server:

        @contextmanager
        def around() -> Iterator[None]:
            seen.append(server.requests)
            yield
            seen.append(server.requests)

        load = rotating_loop(server.port, [REQUEST], 2, 0.2, opened=6, around=around())
    assert seen[0] == 0
    assert load.good == load.offered == load.statuses[200] == len(load.latencies_s) > 12
    assert seen[1] - 2 <= load.good <= seen[1]
    assert len(server.by_socket) == 6
    assert max(server.by_socket.values()) - min(server.by_socket.values()) <= 2


def test_open_loop_does_not_wait_for_busy_connections() -> None:
    arrivals_s = [0.001 * i for i in range(60)]
    with Answering(lambda _: answer(200), together=60) as server:
        load = open_loop(server.port, [REQUEST], arrivals_s, 5.0, opened=2)
    assert server.connections >= 60, "nothing was answered before all sixty were there"
    assert load.statuses == {200: 60, 0: 0}
    assert load.held == 0


def test_open_loop_holds_what_finds_no_connection_and_counts_its_latency_from_when_it_was_due() -> None:
    def late(_: int) -> bytes:
        time.sleep(0.05)
        return answer(200)

    with Answering(late) as server:
        load = open_loop(server.port, [REQUEST], [0.0, 0.0, 0.0], 5.0, opened=1, most=1)
    assert server.connections == 1
    assert load.held == 2
    assert load.statuses == {200: 3, 0: 0}
    assert max(load.latencies_s) >= 0.15


def test_open_loop_counts_latency_from_when_a_request_was_due() -> None:
    with Answering(lambda _: answer(200), together=2) as server:
        load = open_loop(server.port, [REQUEST], [0.0, 0.15], 5.0, opened=2)
    assert sorted(load.latencies_s)[1] >= 0.15


def test_open_loop_counts_statuses_reasons_and_missing_hints() -> None:
    said = [answer(200), SHED, SHED, HINTED, None, answer(200)]
    with Answering(lambda number: said[number]) as server:
        load = open_loop(server.port, [REQUEST], [0.01 * i for i in range(6)], 0.5, opened=6)
    assert load.statuses == {200: 2, 503: 3, 0: 1}
    assert load.problems == {"503 overloaded (queue)": 2, "503": 1}
    assert load.unhinted == 2
    assert load.offered == 6


def test_open_loop_gives_up_what_is_late_twice_the_deadline() -> None:
    with Answering(lambda _: answer(200), together=2) as server:
        began_s = time.perf_counter()
        load = open_loop(server.port, [REQUEST], [0.0], 0.1)
    assert load.statuses == {0: 1}
    assert load.good == 0
    assert 0.2 <= time.perf_counter() - began_s < 5


def test_an_answer_after_the_deadline_or_after_the_stretch_is_not_good() -> None:
    with Answering(lambda _: answer(200), together=2) as server:
        load = open_loop(server.port, [REQUEST], [0.0, 0.3, 0.5], 0.2, opened=2)
    assert load.statuses[200] == 3
    assert load.good == 1


def test_whoever_observes_sees_each_answer_with_its_request() -> None:
    seen: list[tuple[int, int]] = []

    def observe(connection: Connection, took_s: float) -> None:
        assert took_s > 0
        seen.append((connection.row, connection.answer[0]))

    with Answering(lambda _: answer(200)) as server:
        open_loop(server.port, [REQUEST, REQUEST], [0.0, 0.0], 1.0, opened=2, observe=observe)
    assert sorted(seen) == [(0, 200), (1, 200)]


def test_pipelined_requests_count_one_by_one() -> None:
    both = answer(200) + SHED
    with Answering(lambda _: both) as server:
        load = open_loop(server.port, [REQUEST], [0.0, 0.01, 0.02], 1.0, opened=3, pipelined=2)
        closed = closed_loop(server.port, [REQUEST], 2, 0.1, pipelined=2)
    assert (load.offered, len(load.latencies_s)) == (6, 3)
    assert load.statuses == {200: 3, 503: 3, 0: 0}
    assert closed.good == closed.statuses[503] == len(closed.latencies_s) > 0


def test_a_lost_connection_loses_all_that_was_sent_at_once() -> None:
    with Answering(lambda _: None) as server:
        load = open_loop(server.port, [REQUEST], [0.0], 1.0, opened=1, pipelined=4)
    assert load.statuses == {0: 4}
