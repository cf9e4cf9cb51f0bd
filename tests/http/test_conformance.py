"""The same requests over both ways into a worker, the fast path and ASGI: the same answers, counted the same."""

import json
import logging
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.http.both_ways import LIMIT, Versions, Way, Worker, post
from tests.http.wire import Client, Response, passes

GOOD = b'{"instances": [{"x": 1}, {"x": 2}]}'
X = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}
INFER = json.dumps({"inputs": [X]}).encode()
CHUNKED = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (GOOD[:5], len(GOOD) - 5, GOOD[5:])
LIVE = post("/livez", b"", method="GET", length=False)


@dataclass
class Seen:
    """What a client and the counters saw of one way."""

    answer: Response
    is_closed: bool
    fast_requests: float
    answered: Counter[tuple[str, str]]
    outcomes: dict[tuple[str, ...], float]


def seen(way: Way, directory: Path, versions: Versions, raw: bytes) -> Seen:
    """Send a request whole and, on another connection, byte by byte; both must be answered alike."""
    worker = Worker(way, directory, versions)
    answers: list[Response] = []
    ends: list[bool] = []

    async def scenario() -> None:
        for segments in ([raw], [bytes([byte]) for byte in raw]):
            client = worker.connect()
            client.send(*segments)
            answers.append(await client.answer())
            await passes()
            ends.append(client.transport.is_closing())

    worker.run(scenario)
    worker.close()
    assert answers[0].comparable() == answers[1].comparable()
    assert ends[0] == ends[1]
    return Seen(answers[0], ends[0], worker.fast_requests() / 2, worker.answered(), worker.outcomes())


def raw_tensor(
    asked: Mapping[str, Any] = MappingProxyType({}), *, lines: Sequence[str] = (), extra: bytes = b""
) -> bytes:
    """Return a request whose one tensor stands behind its JSON."""
    tensor = {"name": "x", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": [tensor], **asked}).encode()
    body = head + struct.pack("<2f", 1.0, 2.0) + extra
    return post("/v2/models/m/infer", body, BINARY.format(len(head)), "content-type: application/octet-stream", *lines)


FAST, SLOW = 1, 0
BINARY = "inference-header-content-length: {}"
CASES = [
    pytest.param(post(), 200, FAST, id="plain"),
    pytest.param(post("/predict", {"model": "m", "instances": [{"x": 1}]}), 200, FAST, id="plain-model-in-the-body"),
    pytest.param(post("/predict"), 404, FAST, id="plain-no-default-model"),
    pytest.param(post("/predict/m", b'{"instances": [[1]]}'), 200, FAST, id="plain-row-as-list"),
    pytest.param(post("/v2/models/m/infer", INFER), 200, FAST, id="v2"),
    pytest.param(post("/v2/models/m/versions/2/infer", INFER), 200, FAST, id="v2-pinned"),
    pytest.param(post("/v2/models/m/infer", {"inputs": [X], "id": "mine"}), 200, FAST, id="v2-own-id"),
    pytest.param(post("/v2/models/m/infer", INFER, "content-type: text/plain"), 200, FAST, id="v2-any-type"),
    pytest.param(post("/predict/tried", b'{"instances": [[7]]}'), 200, FAST, id="canary-falls-back"),
    pytest.param(post("/predict/tried", b'{"instances": [[2]]}'), 200, FAST, id="canary-answers"),
    pytest.param(post("/predict/other"), 404, FAST, id="unknown-model"),
    pytest.param(post("/v2/models/other/infer", INFER), 404, FAST, id="v2-unknown-model"),
    pytest.param(post("/v2/models/m/versions/9/infer", INFER), 404, FAST, id="v2-unknown-version"),
    pytest.param(post("/predict/gone"), 503, FAST, id="not-ready"),
    pytest.param(post("/v2/models/gone/infer", INFER), 503, FAST, id="v2-not-ready"),
    pytest.param(post("/predict/m", b"{"), 400, FAST, id="bad-json"),
    pytest.param(post("/v2/models/m/infer", b"{"), 400, FAST, id="v2-bad-json"),
    pytest.param(post("/predict/m", b""), 400, FAST, id="empty-body"),
    pytest.param(post("/predict/m", {"instances": [[1]] * 11}), 413, FAST, id="too-many-rows"),
    pytest.param(post("/v2/models/m/infer", {"inputs": [{**X, "shape": [3, 1]}]}), 400, FAST, id="v2-shape"),
    pytest.param(post("/predict/m", {"instances": [{"x": 1}, {"x": "1", "y": 2}]}), 422, FAST, id="contract-faults"),
    pytest.param(post("/predict/ruled", {"instances": [[1], [7]]}), 422, FAST, id="rule-refuses"),
    pytest.param(post("/predict/ruled", {"instances": [[1], [4]]}), 200, FAST, id="rule-flags"),
    pytest.param(post("/v1/models/ruled:predict", {"instances": [[7]]}), 400, SLOW, id="v1-rule-refuses"),
    pytest.param(post("/v2/models/ruled/infer", {"inputs": [{**X, "data": [1, 7]}]}), 400, FAST, id="v2-rule-refuses"),
    pytest.param(post("/predict/m", b'{"instances": [[7]]}'), 500, FAST, id="execution-failed"),
    pytest.param(post("/predict/m", GOOD, "x-route-key: a", "x-route-key: b"), 200, FAST, id="two-keys"),
    pytest.param(post("/predict/m", GOOD, "x-route-key: \xe9\xff"), 200, FAST, id="key-beyond-ascii"),
    pytest.param(post("/predict/m", GOOD, "content-type: Application/JSON; charset=utf-8"), 200, FAST, id="json-type"),
    pytest.param(post("/predict/m", GOOD, "Content-Type:   application/json   "), 200, FAST, id="spaces-around-value"),
    pytest.param(post("/predict/m", GOOD, "content-type: application/x-www-form-urlencoded"), 200, FAST, id="form"),
    pytest.param(post("/predict/m", GOOD.ljust(LIMIT)), 200, FAST, id="at-the-limit"),
    pytest.param(post("/predict/m", GOOD, "connection: close"), 200, FAST, id="close"),
    pytest.param(post("/predict/m", b"{", "connection: close"), 400, FAST, id="close-after-an-error"),
    pytest.param(post("/predict/m", GOOD, "connection: Keep-Alive"), 200, FAST, id="keep-alive"),
    pytest.param(post("/predict/m", GOOD, "expect: something"), 200, FAST, id="another-expectation"),
    pytest.param(b"\r\n\r\n" + post(), 200, FAST, id="blank-lines-before"),
    pytest.param(post("/predict/m", GOOD, "x-empty:"), 200, FAST, id="empty-value"),
    pytest.param(post("/predict/m", GOOD, "x-long: " + "a" * 20_000), 200, FAST, id="long-value"),
    pytest.param(post(request_id=None), 200, FAST, id="no-request-id"),
    *[
        pytest.param(post("/predict/m", body, request_id=given), status, FAST, id=f"request-id-{name}-{status}")
        for name, given in {"sane": "A-1:b.c_d/e=f+g", "long": "x" * 129, "markup": "<a>", "empty": ""}.items()
        for body, status in ((GOOD, 200), (b"{", 400))
    ],
    pytest.param(post("/predict/m", GOOD, "content-type: text/csv"), 415, SLOW, id="media-type"),
    pytest.param(post("/predict/m", GOOD, "content-type:"), 415, SLOW, id="no-media-type"),
    pytest.param(post("/predict/m", GOOD, "content-encoding: br"), 415, SLOW, id="encoding"),
    pytest.param(post("/predict/m", GOOD, "content-encoding: identity"), 200, SLOW, id="identity"),
    pytest.param(raw_tensor(), 200, FAST, id="v2-binary"),
    pytest.param(raw_tensor({"outputs": [{"name": "y", "parameters": {"binary_data": True}}]}), 200, FAST, id="v2-raw"),
    pytest.param(raw_tensor(lines=("inference-header-content-length: 1",)), 200, SLOW, id="v2-binary-twice"),
    pytest.param(raw_tensor(extra=b"1"), 400, FAST, id="v2-binary-with-more"),
    pytest.param(post("/v2/models/m/infer", INFER, BINARY.format(1)), 400, FAST, id="v2-binary-cut-short"),
    pytest.param(post("/v2/models/m/infer", INFER, BINARY.format("9" * 18)), 400, FAST, id="v2-binary-beyond-the-end"),
    pytest.param(post("/v2/models/m/infer", INFER, BINARY.format("+1")), 400, SLOW, id="v2-binary-no-number"),
    pytest.param(post("/v2/models/m/infer", INFER, BINARY.format("9" * 19)), 400, SLOW, id="v2-binary-too-long"),
    pytest.param(post("/predict/m", GOOD, BINARY.format(1)), 200, SLOW, id="binary-means-nothing-to-plain"),
    pytest.param(post("/predict/m", GOOD.ljust(LIMIT + 1)), 413, SLOW, id="too-large"),
    pytest.param(post("/predict/m", b"", "content-length: 9999999", length=False), 413, SLOW, id="says-too-large"),
    pytest.param(post("/predict/m", b"", length=False), 400, SLOW, id="no-length"),
    pytest.param(post("/predict/m", CHUNKED, "transfer-encoding: chunked", length=False), 200, SLOW, id="chunked"),
    pytest.param(post("/predict/m", GOOD, version="HTTP/1.0"), 200, SLOW, id="http-1.0"),
    pytest.param(post("/predict/m", GOOD, "connection: keep-alive", version="HTTP/1.0"), 200, SLOW, id="http-1.0-kept"),
    pytest.param(post("/predict/m", b"", method="GET", length=False), 405, SLOW, id="get"),
    pytest.param(post("/predict/m", method="PUT"), 405, SLOW, id="put"),
    pytest.param(post("/v2/models/m/infer", b"", method="GET", length=False), 405, SLOW, id="v2-get"),
    pytest.param(post("/predict/m?a=b&c"), 200, SLOW, id="query"),
    pytest.param(post("/predict/m/"), 200, SLOW, id="trailing-slash"),
    pytest.param(post("/predict/%6d"), 200, SLOW, id="percent-encoded"),
    pytest.param(post("/predict/%C3%A9"), 404, SLOW, id="percent-encoded-name"),
    pytest.param(post("/predict/" + "m" * 65), 404, SLOW, id="long-name"),
    pytest.param(post("/predict/m/1"), 404, SLOW, id="longer-path"),
    pytest.param(post("//predict/m"), 404, SLOW, id="two-slashes"),
    pytest.param(post("/PREDICT/m"), 404, SLOW, id="capitals"),
    pytest.param(post("http://weir/predict/m"), 200, SLOW, id="absolute-form"),
    pytest.param(post("/predict/m", GOOD, "connection: upgrade", "upgrade: h2c"), 200, FAST, id="upgrade"),
    pytest.param(post("/predict/m", GOOD, "connection: upgrade"), 200, FAST, id="upgrade-to-nothing"),
    pytest.param(
        post("/predict/m", CHUNKED, "transfer-encoding: chunked", "connection: upgrade", "upgrade: h2c", length=False),
        200,
        SLOW,
        id="upgrade-chunked",
    ),
    pytest.param(
        post("/predict/m", GOOD, "connection: upgrade", "upgrade: h2c", "content-length: 1"),
        400,
        SLOW,
        id="upgrade-two",
    ),
    pytest.param(
        post("/livez", b"", "connection: upgrade", "upgrade: websocket", method="GET", length=False),
        200,
        SLOW,
        id="upgrade-without-a-body",
    ),
    pytest.param(LIVE, 200, SLOW, id="probe"),
    pytest.param(post("/v2/models/m", b"", method="GET", length=False), 200, SLOW, id="metadata"),
    pytest.param(post("/predict/m", GOOD, f"content-length: {len(GOOD)}"), 400, SLOW, id="length-twice"),
    pytest.param(post("/predict/m", GOOD, "content-length: 1"), 400, SLOW, id="two-lengths"),
    pytest.param(post("/predict/m", GOOD, "content-length:", length=False), 400, SLOW, id="empty-length"),
    pytest.param(post("/predict/m", GOOD, "content-length:  35  ", length=False), 200, FAST, id="spaces-around-length"),
    pytest.param(post("/predict/m", GOOD, "content-length: +5", length=False), 400, SLOW, id="signed-length"),
    pytest.param(post("/predict/m", GOOD, "content-length: 5, 5", length=False), 400, SLOW, id="list-of-lengths"),
    pytest.param(post("/predict/m", CHUNKED, "transfer-encoding: chunked"), 400, SLOW, id="length-and-chunked"),
    pytest.param(
        post("/predict/m", CHUNKED, "transfer-encoding: gzip, chunked", length=False), 400, SLOW, id="two-codings"
    ),
    pytest.param(post("/predict/m", CHUNKED, "transfer-encoding : chunked"), 400, SLOW, id="space-before-the-colon"),
    pytest.param(post("/predict/m", GOOD, "x: a\x00b"), 400, SLOW, id="zero-in-a-value"),
    pytest.param(post("/predict/m", GOOD, " folded"), 400, SLOW, id="folded-line"),
]


@pytest.mark.parametrize(("raw", "status", "fast_requests"), CASES)
def test_both_ways_give_the_same_answer(
    tmp_path: Path, versions_both_ways: Versions, raw: bytes, status: int, fast_requests: int
) -> None:
    fast = seen("fast", tmp_path / "fast", versions_both_ways, raw)
    asgi = seen("asgi", tmp_path / "asgi", versions_both_ways, raw)
    assert asgi.answer.status == status
    assert fast.answer.comparable() == asgi.answer.comparable()
    assert (fast.is_closed, fast.answered, fast.outcomes) == (asgi.is_closed, asgi.answered, asgi.outcomes)
    assert (fast.fast_requests, asgi.fast_requests) == (fast_requests, 0)


def test_the_answer_to_a_head_request_has_no_body(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", b"", method="HEAD", length=False))
        (answer,) = await client.answers(1, without_bodies=True)
        assert (answer.status, answer["allow"]) == (405, "POST")
        assert client.transport.written.endswith(b"\r\n\r\n")

    worker.run(scenario)


def test_a_client_that_expects_to_continue_is_told_to(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        raw = post("/predict/m", GOOD, "expect: 100-continue")
        client.send(raw[: -len(GOOD)])
        assert [answer.status for answer in await client.answers(1)] == [100]
        client.send(GOOD)
        assert [answer.status for answer in await client.answers(2)] == [100, 200]

    worker.run(scenario)


def test_a_full_queue_refuses_with_the_same_words(tmp_path: Path, versions_both_ways: Versions) -> None:
    bodies = []
    for way in ("fast", "asgi"):
        worker = Worker(way, tmp_path / way, versions_both_ways, queue_rows=4)

        async def scenario(worker: Worker = worker) -> None:
            clients = [worker.connect() for _ in range(3)]
            clients[0].send(slow(1))
            await worker.slow.until_running()
            clients[1].send(slow(2, 2, 2))
            await passes()
            clients[2].send(slow(3, 3))
            refusal = await clients[2].answer()
            assert (refusal.status, refusal["retry-after"]) == (503, "1")
            bodies.append(refusal.comparable())
            worker.slow.open()
            assert [(await client.answer()).status for client in clients[:2]] == [200, 200]

        worker.run(scenario)
        worker.close()
    assert bodies[0] == bodies[1]


def slow(*values: float, request_id: str = "r-1") -> bytes:
    return post("/predict/slow", {"instances": [[value] for value in values]}, request_id=request_id)


def ids(answers: list[Response]) -> list[str | None]:
    return [answer["x-request-id"] for answer in answers]


def numbered(n: int, *paths: str) -> list[bytes]:
    return [post(paths[i % len(paths)], b'{"instances": [[1]]}', request_id=f"n-{i}") for i in range(n)]


async def all_ids(client: Client, n: int) -> None:
    assert ids(await client.answers(n)) == [f"n-{i}" for i in range(n)]


def test_answers_come_in_order_although_models_answer_out_of_order(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(b"".join(numbered(6, "/predict/m", "/predict/slow")))
        await worker.slow.until_running()
        await passes()
        assert len(client.received()) == 1
        worker.slow.open()
        await all_ids(client, 6)

    worker.run(scenario)


@pytest.mark.parametrize("per_segment", [1, 7, 200])
def test_two_hundred_requests_at_once_are_all_answered_in_order(worker: Worker, per_segment: int) -> None:
    async def scenario() -> None:
        client = worker.connect()
        requests = numbered(200, "/predict/m", "/livez", "/predict/tried", "/v2/models/m/infer")
        client.send(*[b"".join(requests[i : i + per_segment]) for i in range(0, 200, per_segment)])
        await all_ids(client, 200)

    worker.run(scenario)


def test_a_client_that_asks_without_end_is_read_no_further_until_it_has_answers(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(*numbered(150, "/predict/slow"))
        await worker.slow.until_running()
        await passes()
        unread = client.unread
        client.protocol.pause_writing()
        client.protocol.resume_writing()
        await passes()
        assert client.unread == unread > 80
        worker.slow.open()
        await client.answers(150)
        assert client.unread == 0

    worker.run(scenario)


def test_no_more_is_read_before_what_was_read_is_answered(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        requests = numbered(200, "/predict/m/")
        client.send(b"".join(requests[:100]), *requests[100:])
        await client.answers(50)
        assert client.unread == 100
        await all_ids(client, 200)

    worker.run(scenario)


def test_the_last_of_many_requests_may_still_be_on_its_way(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        whole = b"".join(numbered(64, "/predict/slow"))
        client.send(whole[:-5], whole[-5:])
        await worker.slow.until_running()
        worker.slow.open()
        await all_ids(client, 64)

    worker.run(scenario)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(("/predict/slow", "/livez", "/predict/m"), id="asgi-behind-fast"),
        pytest.param(("/predict/slow/", "/predict/m", "/livez"), id="fast-behind-asgi"),
        pytest.param(("/predict/slow", "/predict/m/", "/predict/slow/", "/predict/m"), id="in-turns"),
    ],
)
@pytest.mark.parametrize("is_one_segment", [True, False])
def test_fast_and_other_requests_wait_for_each_other(
    worker: Worker, paths: tuple[str, ...], is_one_segment: bool
) -> None:
    async def scenario() -> None:
        client = worker.connect()
        requests = [
            LIVE.replace(b"r-1", b"n-%d" % i) if path == "/livez" else request
            for i, (path, request) in enumerate(zip(paths, numbered(len(paths), *paths), strict=True))
        ]
        client.send(*([b"".join(requests)] if is_one_segment else requests))
        await worker.slow.until_running()
        await passes()
        assert client.received() == []
        worker.slow.open()
        answers = await client.answers(len(paths))
        assert [answer.status for answer in answers] == [200] * len(paths)
        await all_ids(client, len(paths))

    worker.run(scenario)


def test_a_body_that_waits_behind_another_answer_arrives_whole(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        chunked = post("/predict/m", CHUNKED, "transfer-encoding: chunked", length=False)
        client.send(slow(1) + chunked[:-20], chunked[-20:])
        await worker.slow.until_running()
        await passes()
        worker.slow.open()
        assert [answer.status for answer in await client.answers(2)] == [200, 200]

    worker.run(scenario)


def test_a_body_in_many_pieces_between_other_requests(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        data = b"".join([post(), post("/predict/m", GOOD.ljust(LIMIT)), post("/predict/m", GOOD, "connection: close")])
        client.send(*[data[i : i + 100] for i in range(0, len(data), 100)])
        answers = await client.answers(3)
        assert [(answer.status, answer["connection"]) for answer in answers] == [
            (200, None),
            (200, None),
            (200, "close"),
        ]
        await client.end()

    worker.run(scenario)


@pytest.mark.parametrize("last", ["/predict/m", "/predict/slow"])
def test_nothing_behind_a_last_request_is_answered_or_counted(worker: Worker, last: str) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post() + post(last, GOOD, "connection: close") + post() + LIVE)
        worker.slow.open()
        await client.end()
        assert [answer["connection"] for answer in client.received()] == [None, "close"]

    worker.run(scenario)
    assert worker.answered() == {("/predict", "200"): 2}
    assert len(worker.notes.answered_by) == 2


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\x00\x01\x02\r\n\r\n", id="no-http"),
        pytest.param(post("/predict/m", GOOD, "content-length: 1"), id="two-lengths"),
        pytest.param(post("/predict/m", b"zz\r\n", "transfer-encoding: chunked", length=False), id="bad-chunk"),
    ],
)
@pytest.mark.parametrize("first", [post(), slow(1), post("/predict/slow/", b'{"instances": [[1]]}'), LIVE])
def test_garbage_behind_a_request_is_refused_after_its_answer(worker: Worker, first: bytes, garbage: bytes) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(first + garbage, garbage)
        worker.slow.open()
        await client.end()
        assert [(answer.status, answer["connection"]) for answer in client.received()] == [(200, None), (400, "close")]

    worker.run(scenario)


def test_an_answer_that_cannot_be_written_down_is_an_error_of_ours(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.slow.loses_outputs = True

    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/v2/models/slow/infer", INFER), post())
        worker.slow.open()
        first, second = await client.answers(2)
        assert (first.status, second.status) == (500, 200)
        assert list(json.loads(first.body)) == ["error"]
        assert b"zip" not in first.body

    worker.run(scenario)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, record.getMessage()) == ("weir.http", "request r-1 to /v2/models/slow/infer failed")
    caplog.clear()
