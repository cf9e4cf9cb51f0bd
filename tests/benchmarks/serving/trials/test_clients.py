"""The soak's clients: what they read, and what they take for deserved."""

import asyncio
import time

import pytest

from benchmarks.serving.trials.clients import NO_ANSWER, Tally, good, malformed, read_answer
from tests.benchmarks.serving.answering import Answering, answer


def status_of(*pieces: bytes, ends: bool = False) -> int:
    async def read() -> int:
        reader = asyncio.StreamReader()
        for piece in pieces:
            reader.feed_data(piece)
        if ends:
            reader.feed_eof()
        return await read_answer(reader, 0.05)

    return asyncio.run(read())


def test_an_answer_is_read_with_its_body() -> None:
    assert status_of(answer(200, b"abc")) == 200
    assert status_of(answer(422, b"abc")[:-2], answer(422, b"abc")[-2:]) == 422


@pytest.mark.parametrize("ends", [pytest.param(True, id="the end"), pytest.param(False, id="silence")])
def test_the_end_or_silence_amid_an_answer_is_no_answer(ends: bool) -> None:
    assert status_of(answer(200, b"abc")[:-1], ends=ends) == NO_ANSWER
    assert status_of(b"", ends=ends) == NO_ANSWER


def test_the_first_undeserved_answer_is_kept_as_an_example() -> None:
    tally = Tally()
    for status in (200, 500, 503):
        tally.take(status, (200,), "a request")
    assert tally.undeserved == "500 for a request"
    assert tally.answers == {200: 1, 500: 1, 503: 1}


def test_a_good_client_counts_what_it_sent_and_got() -> None:
    tally, until_s = Tally(), time.perf_counter() + 0.1
    with Answering(lambda number: answer(500 if number == 1 else 200)) as server:
        asyncio.run(good(server.port, tally, lambda: time.perf_counter() < until_s))
    assert tally.sent == tally.answers.total() == server.requests
    assert tally.undeserved == "500 for a good request"


def test_a_server_that_takes_nonsense_for_a_request_is_found_out() -> None:
    tally = Tally()
    with Answering(lambda _: answer(200)) as server:
        asyncio.run(malformed(server.port, tally, lambda: tally.sent < 1))
    assert tally.undeserved.startswith("200 for malformed")
