"""What a head may be, on both ways into a worker: bounded, for one host, framed in one way."""

import json

import pytest

from gateway.http.head import HEAD_BYTES
from tests.http.both_ways import Worker, post
from tests.http.wire import Client, Response, passes

GOOD = b'{"instances": [{"x": 1}]}'
WHOLE = post("/predict/m", GOOD)


def refused(answers: list[Response], status: int, slug: str) -> None:
    """See that the last answer is a problem that ends the connection."""
    document = json.loads(answers[-1].body)
    assert (answers[-1].status, document["status"], document["type"]) == (status, status, f"urn:weir:problem:{slug}")
    assert answers[-1]["content-type"] == "application/problem+json"
    assert answers[-1]["connection"] == "close"
    assert answers[-1]["x-request-id"] == document["request_id"]


async def answers_to(client: Client, *segments: bytes) -> list[Response]:
    client.send(*segments)
    await client.end()
    return client.received()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(post("/predict/m", GOOD, "x: " + "a" * HEAD_BYTES), id="value"),
        pytest.param(post("/predict/m", GOOD, "a" * HEAD_BYTES + ": x"), id="name"),
        pytest.param(post("/predict/m", GOOD, *[f"x-{i}: y" for i in range(2_000)]), id="many"),
        pytest.param(post("/" + "a" * HEAD_BYTES, GOOD), id="target"),
        pytest.param(post("/predict/m", GOOD, "x: " + "a" * HEAD_BYTES)[: HEAD_BYTES + 200], id="without-an-end"),
    ],
)
@pytest.mark.parametrize("size", [100, 30_000, 10**6])
def test_a_head_beyond_the_limit_is_refused(worker: Worker, raw: bytes, size: int) -> None:
    async def scenario() -> None:
        pieces = [raw[i : i + size] for i in range(0, len(raw), size)]
        if size == 10**6:
            pieces = [raw[:-1], raw[-1:]]
        refused(await answers_to(worker.connect(), *pieces), 431, "head-too-large")

    worker.run(scenario)


@pytest.mark.parametrize(
    "start", [b"POST", b"POST / HTTP/1.1\r\nx: ", post("/livez", b"0\r\nx: ", "transfer-encoding: chunked")]
)
def test_what_never_ends_is_given_up(worker: Worker, start: bytes) -> None:
    start = start.replace(b"content-length: 6\r\n", b"")

    async def scenario() -> None:
        answers = await answers_to(worker.connect(), start, *[b"a" * 30_000] * 4)
        assert answers == [] or answers[-1]["connection"] == "close"

    worker.run(scenario)


def test_a_head_at_the_limit_is_read(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", GOOD, "x: " + "a" * (HEAD_BYTES - 400)))
        client.send(post("/predict/m", GOOD, *[f"x-{i}: y" for i in range(1_600)]))
        client.send(b"".join(post("/predict/m", GOOD, "x: " + "a" * 40_000) for _ in range(4)))
        assert [answer.status for answer in await client.answers(6)] == [200] * 6

    worker.run(scenario)


@pytest.mark.parametrize(
    "hosts",
    [
        pytest.param([], id="none"),
        pytest.param(["host: weir", "host: weir"], id="twice"),
        pytest.param(["host: weir", "Host: other"], id="two"),
        pytest.param(["host: a b"], id="space"),
        pytest.param(["host: user@weir"], id="user"),
        pytest.param(["host: weir/x"], id="path"),
    ],
)
@pytest.mark.parametrize("path", ["/predict/m", "/livez"])
def test_a_request_names_one_host(worker: Worker, hosts: list[str], path: str) -> None:
    raw = post(path, GOOD).replace(b"host: weir\r\n", "".join(f"{line}\r\n" for line in hosts).encode())

    async def scenario() -> None:
        client = worker.connect()
        client.send(WHOLE)
        await client.answers(1)
        answers = await answers_to(client, raw + WHOLE)
        assert len(answers) == 2
        refused(answers, 400, "request-malformed")

    worker.run(scenario)


@pytest.mark.parametrize("host", ["host:", "host: weir:80", "host: [::1]:80", "HOST: a.b-c_d%20"])
def test_a_host_may_be_any_authority(worker: Worker, host: str) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(WHOLE.replace(b"host: weir", host.encode()))
        assert (await client.answer()).status == 200

    worker.run(scenario)


def test_http_of_before_needs_no_host(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", GOOD, version="HTTP/1.0").replace(b"host: weir\r\n", b""))
        assert (await client.answer()).status == 200

    worker.run(scenario)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", id="tls"),
        pytest.param(post("/predict/m", GOOD, version="HTTP/2.0"), id="version"),
        pytest.param(post("/predict/m", GOOD, "content-length: 1"), id="two-lengths"),
        pytest.param(post("/predict/m", b"0\r\n\r\n", "transfer-encoding: gzip, chunked", length=False), id="coding"),
        pytest.param(
            post("/predict/m", b"0\r\n\r\n", "transfer-encoding: chunked", length=False, version="HTTP/1.0"), id="old"
        ),
    ],
)
def test_what_is_no_http_is_told_so_in_a_problem(worker: Worker, raw: bytes) -> None:
    async def scenario() -> None:
        refused(await answers_to(worker.connect(), raw), 400, "request-malformed")

    worker.run(scenario)


def test_a_trailer_is_no_header(worker: Worker) -> None:
    """A proxy that sets headers lets trailers pass: one that counted as a header would speak for the proxy."""
    trailers = b"x-request-id: last\r\ncontent-encoding: gzip\r\nhost: other\r\n"
    body = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(GOOD), GOOD, trailers)

    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", body, "transfer-encoding: chunked", length=False) + WHOLE)
        first, second = await client.answers(2)
        assert (first.status, first["x-request-id"], second.status) == (200, "r-1", 200)

    worker.run(scenario)


def test_a_broken_body_gets_no_second_answer(worker: Worker) -> None:
    async def scenario() -> None:
        client = worker.connect()
        client.send(post("/predict/m", b"5\r\nabcde", "transfer-encoding: chunked", length=False, method="PUT"))
        assert [answer.status for answer in await client.answers(1)] == [405]
        await passes()
        answers = await answers_to(client, b"no chunk")
        assert [answer.status for answer in answers] == [405]

    worker.run(scenario)


def test_a_request_that_turns_out_to_be_broken_is_refused_once(worker: Worker) -> None:
    async def scenario() -> None:
        raw = post("/predict/m", b"5\r\nabcdeno chunk", "transfer-encoding: chunked", length=False, method="PUT")
        answers = await answers_to(worker.connect(), raw)
        assert [answer.status for answer in answers] == [400]

    worker.run(scenario)
