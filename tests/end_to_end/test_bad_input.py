"""Hostile requests on a running gateway: a 4xx that says what is wrong, and the next request is answered as ever."""

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests import loopback
from tests.end_to_end.running import TOKEN, RunningGateway
from tests.models import columns_classifier, multi_output, write_bundle

MIB = 1024 * 1024
ROW = b'{"instances": [[1, 2, 3]]}'
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NAMES = {"model": "m", "version": "1", "alert": "0123456789abcdef", "file": "app.js", "token": "0123456789ab"}


@pytest.fixture(scope="module", params=[pytest.param("true", id="fast"), pytest.param("false", id="asgi")])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("attacked")
    write_bundle(folder / "models" / "m" / "1", multi_output())
    write_bundle(folder / "models" / "iris" / "1", columns_classifier())
    environ = {"WEIR_SERVING__FAST_PATH": request.param}
    with RunningGateway(folder / "models", folder / "weir.db", workers=1, environ=environ) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: RunningGateway) -> Iterator[RunningGateway]:
    """Give the gateway, and see afterwards that it is the same one, answers, and has failed nowhere."""
    before = running.children("gateway.app")
    yield running
    answer = loopback.post(f"{running.url}/predict/m", content=ROW, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["predictions"][0]) == (200, 6.0)
    assert running.children("gateway.app") == before
    log = running.log.read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log


def post(gateway: RunningGateway, body: bytes, path: str = "/predict/m", **headers: str) -> httpx.Response:
    named = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return loopback.post(f"{gateway.url}{path}", content=body, headers=named, timeout=30.0)


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["type"]) == (status, f"urn:weir:problem:{slug}"), document
    assert document["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    return document


def exchange(gateway: RunningGateway, *pieces: bytes, to_the_end: bool = False) -> bytes:
    """Send pieces as they are and return what comes until the gateway closes or, mostly, has sent a whole answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10.0) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            while (to_the_end or not is_whole(answer)) and (received := connection.recv(65536)):
                answer += received
        except ConnectionError:  # it has closed already, rightly
            pass
        return answer


def is_whole(answer: bytes) -> bool:
    top, end, body = answer.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in top.lower().splitlines() if line.startswith(b"content-length:")]
    return bool(end and lengths) and b"connection: close" not in top and len(body) >= int(lengths[0])


def head(*lines: str, path: str = "/predict/m") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: weir", *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        pytest.param(b'{"instances": [[' + b"1" * 17 * MIB + b"]]}", 413, "body-too-large", id="17-mib"),
        pytest.param(b'{"instances": [' + b",".join([b"[1,2,3]"] * 10_001) + b"]}", 413, "body-too-large", id="rows"),
        pytest.param(b'{"instances": ' + b"[" * 33 + b"]" * 33 + b"}", 413, "body-too-large", id="depth-34"),
        pytest.param(b"[" * 1_000_000, 413, "body-too-large", id="a-million-brackets"),
        pytest.param(b'{"a":' * 100_000, 413, "body-too-large", id="a-hundred-thousand-objects"),
        pytest.param(b'{"instances": [[NaN, 2, 3]]}', 422, "input-rejected", id="nan"),
        pytest.param(b'{"instances": [[1, -Infinity, 3]]}', 422, "input-rejected", id="infinity"),
        pytest.param(b'{"instances": [[1e999, 2, 3]]}', 422, "input-rejected", id="beyond-double"),
        pytest.param(b'{"instances": [["\xff\xfe", 2, 3]]}', 400, "body-malformed", id="not-utf-8"),
        pytest.param(b"\xff\xfe{\x00}\x00", 400, "body-malformed", id="utf-16"),
        pytest.param(b"", 400, "body-malformed", id="nothing"),
        pytest.param(b"\x00" * 1000, 400, "body-malformed", id="zeros"),
        pytest.param(b'{"instances": []}', 400, "body-malformed", id="no-rows"),
        pytest.param(b'{"instances": [[1, 2], [1, 2, 3]]}', 422, "input-rejected", id="ragged"),
        pytest.param(b'{"instances": [[null, {}, "x"]]}', 422, "input-rejected", id="wrong-types"),
        pytest.param(b'{"instances": [{"' + b"a" * 100_000 + b'": 1}]}', 422, "input-rejected", id="a-long-name"),
        pytest.param(b'"' + b"\\" * 1_000_001, 400, "body-malformed", id="backslashes"),
        pytest.param(b"1" * 100_000, 400, "body-malformed", id="a-long-number"),
        pytest.param(b'{"instances": [[1,2,3]], "instances": 7}', 400, "body-malformed", id="twice"),
    ],
)
def test_a_bad_body_is_refused_with_a_problem(gateway: RunningGateway, body: bytes, status: int, slug: str) -> None:
    answer = post(gateway, body)
    problem(answer, status, slug)
    assert len(answer.content) < 20_000


@pytest.mark.parametrize("path", ["/predict/iris", "/predict", "/v2/models/m/infer", "/v2/models/iris/infer"])
@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{}", b"null", b'{"inputs": 3}', b'{"instances": [{"sepal": "\\ud800"}]}']
)
def test_no_path_fails_on_a_bad_body(gateway: RunningGateway, path: str, body: bytes) -> None:
    answer = post(gateway, body, path)
    assert 400 <= answer.status_code < 500
    assert answer.json()


def test_a_long_name_is_not_sent_back_whole(gateway: RunningGateway) -> None:
    body = json.dumps({"inputs": [{"name": "a" * 100_000, "shape": [1], "datatype": "FP32", "data": [1]}]})
    answer = post(gateway, body.encode(), "/v2/models/m/infer")
    assert answer.status_code == 400
    assert len(answer.content) < 20_000


def test_a_chunked_body_is_cut_off_at_the_limit(gateway: RunningGateway) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b" " * MIB

    try:
        answer = loopback.post(
            f"{gateway.url}/predict/m", content=chunks(), headers={"content-type": "application/json"}, timeout=30.0
        )
    except httpx.WriteError:
        pass  # the gateway has answered and closed while we were still sending
    else:
        problem(answer, 413, "body-too-large")
    small = head("content-type: application/json", "transfer-encoding: chunked")
    pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (ROW[:5], ROW[5:])]
    assert exchange(gateway, small, *pieces, b"0\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((b"POST /predict/m HT",), id="half-a-line"),
        pytest.param((head("content-length: 1000"), ROW), id="half-a-body"),
        pytest.param((head("transfer-encoding: chunked"), b"1a\r\n{"), id="half-a-chunk"),
        pytest.param((head("content-length: 26", "expect: 100-continue"),), id="never-continued"),
    ],
)
def test_half_a_request_disturbs_nobody(gateway: RunningGateway, pieces: tuple[bytes, ...]) -> None:
    for linger in (struct.pack("ii", 0, 0), struct.pack("ii", 1, 0)):  # close in order, and with a reset
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            for piece in pieces:
                connection.sendall(piece)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, id="tls"),
        pytest.param(b"\x00" * 4096, id="zeros"),
        pytest.param(b"GET\r\n\r\n", id="no-path"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http-2"),
        pytest.param(b"GET /livez HTTP/9.9\r\nhost: x\r\n\r\n", id="version"),
        pytest.param(b"FROB /livez HTTP/1.1\r\nhost: x\r\n\r\n", id="method"),
        pytest.param(b"GET \xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n", id="path-bytes"),
        pytest.param(b"GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n", id="broken-url"),
        pytest.param(b"CONNECT weir:80 HTTP/1.1\r\nhost: x\r\n\r\n", id="connect"),
        pytest.param(head("content-length: -5"), id="negative-length"),
        pytest.param(head("content-length: 1e3"), id="odd-length"),
        pytest.param(head("content-length: 26", "content-length: 27") + ROW, id="two-lengths"),
        pytest.param(head("content-length: 26", "transfer-encoding: chunked") + ROW, id="length-and-chunked"),
        pytest.param(head("transfer-encoding: gzip, chunked") + b"0\r\n\r\n", id="coded"),
        pytest.param(head("transfer-encoding: chunked") + b"fffffffffffffffff\r\n", id="huge-chunk"),
        pytest.param(head("a b: c"), id="space-in-a-name"),
        pytest.param(head(": c"), id="no-name"),
        pytest.param(head("x-a: b\x00c"), id="zero-in-a-value"),
        pytest.param(head("x-a: " + "b" * 1_000_000), id="a-long-value"),
        pytest.param(head(*[f"x-{i}: {i}" for i in range(20_000)]), id="many-headers"),
        pytest.param(head("upgrade: websocket", "connection: upgrade", "sec-websocket-key: x"), id="websocket"),
    ],
)
def test_garbage_on_the_socket_is_refused_or_cut_off(gateway: RunningGateway, raw: bytes) -> None:
    answer = exchange(gateway, raw)
    assert answer == b"" or 400 <= int(answer.split()[1]) < 500, answer[:200]


def test_a_request_that_offers_another_protocol_is_answered_in_this_one(gateway: RunningGateway) -> None:
    answer = exchange(gateway, head("upgrade: h2c", "connection: upgrade", f"content-length: {len(ROW)}") + ROW)
    assert answer.split()[1] == b"200", answer[:200]


def test_pipelined_requests_are_answered_in_order(gateway: RunningGateway) -> None:
    bodies = [b'{"instances": [[%d, 0, 0]]}' % i for i in range(5)]
    requests = [head("content-type: application/json", f"content-length: {len(body)}") + body for body in bodies]
    last = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer = exchange(gateway, b"".join(requests) + last, to_the_end=True)
    places = [answer.find(b'"predictions":[%d.0' % i) for i in range(5)]
    assert -1 not in places
    assert places == sorted(places)


def test_a_client_that_leaves_pipelined_requests_behind_fails_nothing(gateway: RunningGateway) -> None:
    request = head("content-type: application/json", f"content-length: {len(ROW)}") + ROW
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(request * 50)


@pytest.mark.parametrize(
    "name",
    ["..", "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "m%00", "m%2f1", "%2fetc%2fpasswd", "m\\..", "a" * 5000, "%ff"],
)
def test_names_do_not_leave_the_folder_of_models(gateway: RunningGateway, name: str) -> None:
    authorization = f"authorization: Bearer {TOKEN}"
    for method, path in [
        ("POST", f"/predict/{name}"),
        ("POST", f"/v2/models/{name}/infer"),
        ("POST", f"/v2/models/m/versions/{name}/infer"),
        ("GET", f"/v2/models/{name}/ready"),
        ("GET", f"/admin/v1/models/{name}/route"),
        ("GET", f"/admin/v1/models/{name}/drift"),
        ("POST", f"/admin/v1/models/m/versions/{name}/load"),
        ("POST", f"/admin/v1/models/{name}/versions/{name}/unload"),
    ]:
        lines = f"{method} {path} HTTP/1.1", "host: x", authorization, "content-type: application/json"
        body = ROW if method == "POST" and "admin" not in path else b""
        request = "\r\n".join([*lines, f"content-length: {len(body)}", "connection: close", "", ""]).encode() + body
        answer = exchange(gateway, request)
        assert 400 <= int(answer.split()[1]) < 500, (path, answer[:300])
        assert b"root:" not in answer


def test_only_sane_request_ids_are_echoed(gateway: RunningGateway) -> None:
    assert post(gateway, ROW, x_request_id="order-7:a/b=").headers["x-request-id"] == "order-7:a/b="
    for given in (b"a" * 129, b"a b", b"a\tb", b"\xc3\xa9", b"<script>", b"", b'a"b', b"a,b"):
        request = b"x-request-id: " + given
        raw = head("content-type: application/json", "connection: close", f"content-length: {len(ROW)}")
        answer = exchange(gateway, raw[:-2] + request + b"\r\n\r\n" + ROW)
        headers = dict(line.split(b": ", 1) for line in answer.partition(b"\r\n\r\n")[0].splitlines()[1:])
        assert len(headers[b"x-request-id"]) == 16, (given, headers)
        int(headers[b"x-request-id"], 16)


def test_odd_routing_keys_are_hashed_like_any_other(gateway: RunningGateway) -> None:
    for key in (b"", b"\xff\xfe", b"k" * 50_000):
        raw = head("content-type: application/json", "connection: close", f"content-length: {len(ROW)}")
        assert exchange(gateway, raw[:-2] + b"x-route-key: " + key + b"\r\n\r\n" + ROW).startswith(b"HTTP/1.1 200")


def test_every_admin_operation_needs_the_token(gateway: RunningGateway) -> None:
    document = loopback.get(f"{gateway.url}/openapi.json").json()
    operations = [
        (method.upper(), path.format(**NAMES))
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/admin/") and method.upper() in METHODS
    ]
    assert len(operations) >= 9
    with gateway.client() as client:
        before = client.get("/admin/v1/audit", params={"limit": 1000}).json()["records"]
    wrong: list[dict[str, str]] = [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"cookie": f"token={TOKEN}"},
    ]
    body = json.dumps({"stable": "1", "reason": "an attack"})
    with loopback.Client(base_url=gateway.url) as client:
        for method, path in operations:
            for headers in wrong:
                content = body if method in ("POST", "PUT") else None
                answer = client.request(method, path, content=content, headers={"if-match": '"1"', **headers})
                is_bearer = headers.get("authorization", "").startswith("Bearer")
                if is_bearer and answer.status_code == 429:
                    problem(answer, 429, "sign-in-throttled")
                    continue
                problem(answer, 401, "credentials-invalid" if is_bearer else "credentials-missing")
                assert answer.headers["www-authenticate"] == 'Bearer realm="weir"'
    with gateway.client() as client:
        assert client.get("/admin/v1/audit", params={"limit": 1000}).json()["records"] == before


def test_every_path_answers_every_method_without_failing(gateway: RunningGateway) -> None:
    document = loopback.get(f"{gateway.url}/openapi.json").json()
    paths = [path.format(**NAMES) for path in document["paths"]]
    with loopback.Client(base_url=gateway.url) as client:
        for path in [*paths, "/", "/predict/", "/predict//", "/admin/v1/", "/v2/", "//", "/static/../.."]:
            for method in METHODS:
                answer = client.request(method, path)
                assert answer.status_code < 500, (method, path, answer.text)
                assert answer.headers["x-request-id"]
