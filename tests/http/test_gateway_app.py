"""The data plane over ASGI: what clients read, how requests are refused, and that nothing of the inside leaks."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import zstandard
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, Router

from gateway.admission.door import Door
from gateway.arms import ArmKeeper
from gateway.engine.version import ServableVersion
from gateway.errors import StoreUnavailable
from gateway.http.gateway_app import GatewayApp
from gateway.http.predict import PredictEndpoint
from gateway.http.probes import Readiness, probe_routes
from gateway.http.request_counts import RequestCounts
from gateway.http.scoring_server import scoring_server_routes
from gateway.http.v1 import v1_routes
from gateway.http.v2 import EXTENSIONS, v2_routes
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.settings import AdmissionSettings, LimitSettings, Settings
from tests import models
from tests.serving import THREADED, counted, servable_of
from tests.test_pipeline import Notes

LIMIT = 2_000
GZIP = {"content-encoding": "gzip"}
BODY = {"instances": [{"x": 1}, {"x": 2}]}
X = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}
Message = MutableMapping[str, Any]
T = TypeVar("T")


class Front:
    """The application in process. A call is a method, a path and what goes with it."""

    def __init__(self, directory: Path, versions: dict[tuple[str, str], ServableVersion]) -> None:
        self.directory = directory
        self._counters = SharedCounters.create(directory, "w", role="worker", capacity=65_536)
        self.versions = versions
        self.routes = {
            "m": RouteDocument("m", 4, "1", "salt", CanaryRoute("2", 0)),
            "iris": RouteDocument("iris", 1, "1", "salt"),
            "gone": RouteDocument("gone", 1, "1", "salt"),
        }
        self.is_settled, self.store_is_up = False, True
        self.unreadable: dict[str, str] = {}

    def __call__(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._build())
            async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
                return await client.request(method, path, **how)

        return self._run(ask)

    def raw(
        self,
        path: str,
        messages: list[Message],
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        method: str = "POST",
    ) -> list[Message]:
        """Return what the application sends when these messages arrive, and nothing after them."""
        sent: list[Message] = []
        scope = {"type": "http", "method": method, "path": path, "headers": headers or [], "query_string": b""}

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        async def serve() -> list[Message]:
            await self._build()(scope, receive, send)
            return sent

        return self._run(serve)

    def requests(self, **labels: str) -> float:
        return counted(self.directory, "weir_http_requests_total", **labels)

    def close(self) -> None:
        self._counters.close()

    def _build(self) -> GatewayApp:
        self._keeper = ArmKeeper(asyncio.get_running_loop(), self._counters, Settings(limits=LimitSettings(rows=10)))
        pipeline = Pipeline(Notes())
        pipeline.table = self._keeper.build(self.routes, self.versions)
        self.readiness = Readiness(
            pipeline,
            is_settled=lambda: self.is_settled,
            store_is_up=lambda: self.store_is_up,
            unreadable=lambda: self.unreadable,
        )
        routes = [*probe_routes(self.readiness), *v2_routes(pipeline, self.readiness, "1.2.3"), *v1_routes(pipeline)]
        routes += scoring_server_routes(self.readiness, "1.2.3")
        routes += [Route("/metrics", crash), Route("/openapi.json", no_store), Route("/livez/half", break_off)]
        door = Door(AdmissionSettings(), self._counters)
        predict = PredictEndpoint(pipeline, door, key_header="X-Route-Key", body_bytes=LIMIT)
        return GatewayApp(predict, Router(routes), RequestCounts(self._counters))

    def _run(self, serve: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def whole() -> T:
            try:
                return await serve()
            finally:
                self._keeper.close()

        return asyncio.run(whole())


async def crash(_: Request) -> Response:
    raise RuntimeError("secret of the inside")


async def break_off(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise StoreUnavailable("locked")

    return StreamingResponse(parts())


async def no_store(_: Request) -> Response:
    raise StoreUnavailable("locked")


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], ServableVersion]:
    folder = tmp_path_factory.mktemp("models")
    return {
        ("m", "1"): servable_of(folder / "1", models.failing_model()),
        ("m", "2"): servable_of(folder / "2", models.failing_model()),
        ("iris", "1"): servable_of(folder / "iris" / "1", models.zipmap_classifier(), serving=THREADED),
    }


@pytest.fixture
def front(tmp_path: Path, versions: dict[tuple[str, str], ServableVersion]) -> Iterator[Front]:
    front = Front(tmp_path, versions)
    yield front
    front.close()


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["type"]) == (status, f"urn:weir:problem:{slug}")
    assert response.headers["content-type"] == "application/problem+json"
    assert document["request_id"] == response.headers["x-request-id"]
    return document


def protocol_error(response: httpx.Response, status: int) -> str:
    document: dict[str, Any] = response.json()
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert list(document) == ["error"]
    assert response.headers["x-request-id"]
    return str(document["error"])


def test_a_prediction_is_answered_with_who_answered(front: Front) -> None:
    response = front("POST", "/predict/m", json=BODY, headers={"x-request-id": "abc-1"})
    assert response.status_code == 200
    assert response.json() == {
        "id": "abc-1",
        "model": "m",
        "version": "1",
        "variant": "stable",
        "predictions": [20.0, 30.0],
    }
    headers = response.headers
    named = ("x-request-id", "x-model-version", "x-variant", "x-route-revision", "content-type")
    assert [headers[name] for name in named] == ["abc-1", "1", "stable", "4", "application/json"]
    parts = [part.split(";dur=") for part in headers["server-timing"].split(", ")]
    assert [name for name, _ in parts] == ["queue", "inference", "total"]
    assert all(float(milliseconds) >= 0 for _, milliseconds in parts)
    assert front.requests(route="/predict", status="200") == 1


def test_a_classifier_answers_classes_and_probabilities(front: Front) -> None:
    document = front("POST", "/predict/iris", json={"instances": [[5, 3.5, 1.4, 0.2]]}).json()
    assert (document["predictions"], document["classes"]) == ([0], [0, 1, 2])
    assert sum(document["probabilities"][0]) == pytest.approx(1.0, abs=1e-5)


def test_the_model_may_stand_in_the_body_or_the_path_may_end_in_a_slash(front: Front) -> None:
    assert front("POST", "/predict", json={**BODY, "model": "m"}).json()["model"] == "m"
    assert front("POST", "/predict/m/", json=BODY).json()["model"] == "m"
    problem(front("POST", "/predict", json=BODY), 404, "model-unknown")
    problem(front("POST", "/predict/m", json={**BODY, "model": "iris"}), 400, "body-malformed")


@pytest.mark.parametrize("given", ["a", "A-1:b.c_d/e=f+g", "x" * 128])
def test_a_sane_request_id_is_given_back(front: Front, given: str) -> None:
    assert front("POST", "/predict/m", json=BODY, headers={"x-request-id": given}).headers["x-request-id"] == given
    assert front("GET", "/livez", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", '"', "é"])
def test_any_other_request_id_is_replaced(front: Front, given: str) -> None:
    response = front("POST", "/predict/m", json=BODY, headers={"x-request-id": given.encode()})
    made = response.headers["x-request-id"]
    assert len(made) == 16
    assert int(made, 16) >= 0
    assert response.json()["id"] == made


def test_a_body_above_the_limit_is_refused_before_it_is_read(front: Front) -> None:
    head, body = front.raw("/predict/m", [], [(b"content-length", b"2001")])
    assert head["status"] == 413
    assert b"at most 2000 bytes are accepted; this one has 2001" in body["body"]


def chunks(*parts: bytes) -> list[Message]:
    return [{"type": "http.request", "body": part, "more_body": i < len(parts) - 1} for i, part in enumerate(parts)]


def test_a_body_without_a_length_is_read_up_to_the_limit(front: Front) -> None:
    good = json.dumps(BODY).encode()
    head, _ = front.raw("/predict/m", chunks(good[:10], good[10:], b""))
    assert head["status"] == 200
    endless = [*chunks(*[b" " * 900] * 4), {"type": "http.request", "body": b"never read", "more_body": True}]
    head, _ = front.raw("/predict/m", endless)
    assert head["status"] == 413
    assert len(endless) == 2
    head, _ = front.raw("/predict/m", chunks(b" " * 2_001))
    assert head["status"] == 413


def test_a_body_at_the_limit_is_accepted_whatever_length_it_claims(front: Front) -> None:
    padded = json.dumps(BODY).encode().ljust(LIMIT)
    for headers in ([], [(b"content-length", b"2000")], [(b"content-length", b"nonsense")]):
        assert front.raw("/predict/m", chunks(padded), headers)[0]["status"] == 200


@pytest.mark.parametrize("before", [[], [b'{"inst'], [b'{"inst', b"ances"]])
def test_a_client_that_leaves_within_its_body_is_no_failure_of_ours(front: Front, before: list[bytes]) -> None:
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in before]
    head, body = front.raw("/predict/m", [*messages, {"type": "http.disconnect"}])
    assert head["status"] == 400
    assert b"connection closed" in body["body"]


def test_an_endless_upload_is_stopped(front: Front) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"[" * 100

    problem(front("POST", "/predict/m", content=upload()), 413, "body-too-large")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/vnd.acme+json"}, 200),
        ({"content-type": "text/json"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 200),
        ({"content-type": "multipart/form-data"}, 415),
        ({"content-type": ""}, 415),
        ({}, 200),
    ],
)
def test_only_json_is_read(front: Front, headers: dict[str, str], status: int) -> None:
    response = front("POST", "/predict/m", content=json.dumps(BODY), headers=headers)
    assert response.status_code == status
    if status == 415:
        problem(response, 415, "media-type-unsupported")


def test_faults_are_told_by_pointer(front: Front) -> None:
    response = front("POST", "/predict/m", json={"instances": [{"x": 1}, {"x": "1", "y": 2}]})
    document = problem(response, 422, "input-rejected")
    assert [error["pointer"] for error in document["errors"]] == ["/instances/1/x", "/instances/1/y"]
    assert document["total_errors"] == 2
    assert document["instance"] == "/predict/m"


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/", 404, "resource-unknown"),
        ("GET", "/nothing/here", 404, "resource-unknown"),
        ("POST", "/predict/m/1", 404, "resource-unknown"),
        ("POST", "/predict/other", 404, "model-unknown"),
        ("POST", "/predict/gone", 503, "model-not-ready"),
        ("GET", "/predict/m", 405, "method-unsupported"),
        ("DELETE", "/predict", 405, "method-unsupported"),
        ("POST", "/livez", 405, "method-unsupported"),
        ("GET", "/metrics", 500, "internal"),
        ("GET", "/openapi.json", 503, "store-unavailable"),
    ],
)
def test_refusals_are_problem_documents(front: Front, method: str, path: str, status: int, slug: str) -> None:
    response = front(method, path, json=BODY if method == "POST" else None)
    problem(response, status, slug)
    if status == 405:
        assert "POST" in response.headers["allow"] or "GET" in response.headers["allow"]
    if status == 503:
        assert response.headers["retry-after"] == "1"


def test_a_crash_is_logged_with_its_request_and_tells_the_client_nothing(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = front("GET", "/metrics", headers={"x-request-id": "r-9"})
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    (record,) = [record for record in caplog.records if record.name == "weir.http"]
    assert "r-9" in record.getMessage()
    assert record.exc_info is not None


def test_an_answer_that_breaks_off_is_logged_and_never_begun_again(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    sent = front.raw("/livez/half", [{"type": "http.request"}, {"type": "http.disconnect"}], method="GET")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert "failed in its answer" in caplog.text
    assert front.requests(route="/livez", status="200") == 1


def test_a_model_that_fails_is_told_in_one_line(front: Front) -> None:
    document = problem(front("POST", "/predict/m", json={"instances": [{"x": 7}]}), 500, "execution-failed")
    assert "m version 1 failed on this input" in document["detail"]
    assert "\n" not in document["detail"]


def test_requests_are_counted_by_route_and_status(front: Front) -> None:
    front("POST", "/predict/m", json=BODY)
    front("POST", "/predict/other", json=BODY)
    front("GET", "/livez")
    front("GET", "/x/y/z")
    assert front.requests(route="/predict", status="200") == 1
    assert front.requests(route="/predict", status="404") == 1
    assert front.requests(route="/livez", status="200") == 1
    assert front.requests(route="other", status="404") == 1
    assert counted(front.directory, "weir_inflight_requests") == 0


def test_the_protocol_answers_tensors(front: Front) -> None:
    response = front("POST", "/v2/models/m/infer", json={"inputs": [X], "id": "mine"})
    assert response.status_code == 200
    assert response.json() == {
        "model_name": "m",
        "model_version": "1",
        "id": "mine",
        "parameters": {},
        "outputs": [{"name": "y", "shape": [2, 1], "datatype": "FP32", "data": [20.0, 30.0]}],
    }
    assert response.headers["x-variant"] == "stable"


def test_the_protocol_answers_a_version_by_name(front: Front) -> None:
    response = front("POST", "/v2/models/m/versions/2/infer", json={"inputs": [X]})
    assert (response.json()["model_version"], response.headers["x-variant"]) == ("2", "pinned")
    assert response.json()["id"] == response.headers["x-request-id"]


def test_the_protocol_answers_the_outputs_that_were_asked_for(front: Front) -> None:
    x = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5, 3.5, 1.4, 0.2]}
    every = front("POST", "/v2/models/iris/infer", json={"inputs": [x]}).json()["outputs"]
    assert [(output["name"], output["shape"]) for output in every] == [
        ("output_label", [1]),
        ("output_probability", [1, 3]),
    ]
    asked = {"inputs": [x], "outputs": [{"name": "output_probability"}]}
    (only,) = front("POST", "/v2/models/iris/infer", json=asked).json()["outputs"]
    assert only == every[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/m/versions/9", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/m/versions/9/infer", 404),
        ("GET", "/v2/models/m/infer", 405),
        ("GET", "/v2/models/gone", 503),
        ("GET", "/v2/models/gone/ready", 503),
    ],
)
def test_errors_of_the_protocol_have_its_own_body(front: Front, method: str, path: str, status: int) -> None:
    response = front(method, path, json={"inputs": [X]} if method == "POST" else None)
    assert protocol_error(response, status)
    assert ("allow" in response.headers) is (status == 405)
    assert ("retry-after" in response.headers) is (status == 503)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "not an inference request"),
        (b" " * 2_001, "at most 2000 bytes"),
        (json.dumps({"inputs": [{**X, "datatype": "FP64"}]}).encode(), "has datatype FP32, found 'FP64'"),
        (json.dumps({"inputs": [{**X, "shape": [11, 1], "data": [0] * 11}]}).encode(), "at most 10 rows"),
    ],
)
def test_whatever_is_wrong_with_a_request_of_the_protocol_is_400(front: Front, content: bytes, text: str) -> None:
    assert text in protocol_error(front("POST", "/v2/models/m/infer", content=content), 400)


def test_metadata_follows_the_protocol(front: Front) -> None:
    assert front("GET", "/v2").json() == {"name": "weir", "version": "1.2.3", "extensions": list(EXTENSIONS)}
    assert front("GET", "/v2/models/m").json() == {
        "name": "m",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 1]}],
    }
    outputs = front("GET", "/v2/models/iris/versions/1").json()["outputs"]
    assert outputs == [
        {"name": "output_label", "datatype": "INT64", "shape": [-1]},
        {"name": "output_probability", "datatype": "FP32", "shape": [-1, 3]},
    ]
    assert front("GET", "/v2/models/m/versions/2/ready").json() == {"name": "m", "version": "2", "ready": True}


def test_readiness_waits_for_every_routed_model(front: Front) -> None:
    response = front("GET", "/readyz")
    assert response.status_code == 503
    (reason,) = response.json()["reasons"]
    assert reason.startswith("gone: its stable version 1 is not loaded; ")
    assert front("GET", "/v2/health/ready").status_code == 503
    del front.routes["gone"]
    assert front("GET", "/readyz").json() == {"status": "ready", "reasons": [], "degraded": []}
    assert front("GET", "/v2/health/ready").json() == {"ready": True}
    front.store_is_up = False
    response = front("GET", "/readyz")
    assert response.status_code == 200
    assert response.json()["degraded"] == ["the state store is away: routes are the last known"]
    front.store_is_up, front.unreadable = True, {"route/m": "not JSON"}
    degraded = front("GET", "/readyz").json()["degraded"]
    assert degraded == ["route/m cannot be read, the last known is in force: not JSON"]


def test_a_gateway_without_models_is_alive_and_not_ready(front: Front) -> None:
    front.routes.clear()
    assert front("GET", "/livez").json() == {"status": "alive"}
    assert front("GET", "/v2/health/live").json() == {"live": True}
    assert front("GET", "/readyz").json()["reasons"] == ["no model is served yet"]


def test_startup_is_over_once(front: Front) -> None:
    assert front("GET", "/startupz").status_code == 503
    front.is_settled = True
    assert front("GET", "/startupz").json() == {"status": "started"}
    readiness = front.readiness
    front.is_settled = False
    assert readiness.started()


def test_a_worker_that_drains_is_not_ready(front: Front) -> None:
    front("GET", "/livez")
    front.readiness.draining = True
    assert front.readiness.reasons() == ["draining: this worker is about to stop"]


def test_a_body_may_be_packed_by_gzip(front: Front) -> None:
    packed = gzip.compress(json.dumps(BODY).encode())
    assert front("POST", "/predict/m", content=packed, headers=GZIP).json()["predictions"] == [20.0, 30.0]
    assert front("POST", "/invocations", content=packed, headers=GZIP).status_code == 404


@pytest.mark.parametrize("encoding", ["zstd", "ZSTD", "identity, zstd"])
def test_a_body_may_be_packed_by_zstd(front: Front, encoding: str) -> None:
    packed = zstandard.compress(json.dumps(BODY).encode())
    told = front("POST", "/predict/m", content=packed, headers={"content-encoding": encoding}).json()
    assert told["predictions"] == [20.0, 30.0]


@pytest.mark.parametrize("encoding", ["identity", "", " , identity"])
def test_a_body_that_says_it_is_not_packed_is_read_as_it_is(front: Front, encoding: str) -> None:
    answer = front("POST", "/predict/m", content=json.dumps(BODY), headers={"content-encoding": encoding})
    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip, zstd", "zstd, br", "aes128gcm"])
def test_a_body_packed_otherwise_is_refused_and_told_how_it_may_be(front: Front, encoding: str) -> None:
    answer = front("POST", "/predict/m", content=json.dumps(BODY), headers={"content-encoding": encoding})
    problem(answer, 415, "encoding-unsupported")
    assert answer.headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize(
    ("packed", "status", "slug"),
    [
        pytest.param(gzip.compress(b" " * (LIMIT + 1)), 413, "body-too-large", id="too large unpacked"),
        pytest.param(gzip.compress(b"0" * 10_000_000)[:LIMIT], 413, "body-too-large", id="a bomb"),
        pytest.param(gzip.compress(b"{}")[:-1], 400, "body-malformed", id="cut off"),
        pytest.param(gzip.compress(b"{}") + gzip.compress(b"{}"), 400, "body-malformed", id="something behind it"),
        pytest.param(b"{}", 400, "body-malformed", id="not packed"),
        pytest.param(b"", 400, "body-malformed", id="nothing"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(front: Front, packed: bytes, status: int, slug: str) -> None:
    problem(front("POST", "/predict/m", content=packed, headers=GZIP), status, slug)


def test_the_first_protocol_of_kserve_predicts(front: Front) -> None:
    response = front("POST", "/v1/models/m:predict", json=BODY)
    assert (response.status_code, response.json()) == (200, {"predictions": [20.0, 30.0]})
    assert response.headers["x-model-version"] == "1"
    labels = front("POST", "/v1/models/iris:predict", json={"instances": [[0.0] * 4]}).json()
    assert len(labels["predictions"]) == 1
    assert list(labels) == ["predictions"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v1/models/nothing:predict", 404, "nothing"),
        ("POST", "/v1/models/m:predict", 400, "/instances"),
        ("POST", "/v1/models/m:explain", 405, "POST"),
        ("GET", "/v1/models/m:predict", 405, "GET"),
        ("GET", "/v1/models/nothing", 404, "nothing"),
        ("GET", "/v1/models/m/metadata", 404, "/v1/models/m/metadata"),
    ],
)
def test_errors_of_the_first_protocol_have_its_own_body(
    front: Front, method: str, path: str, status: int, words: str
) -> None:
    response = front(method, path, **({"json": {}} if method == "POST" else {}))
    assert words in protocol_error(response, status)


def test_the_first_protocol_lists_models_and_their_readiness(front: Front) -> None:
    assert front("GET", "/v1/models").json() == {"models": ["gone", "iris", "m"]}
    assert front("GET", "/v1/models/m").json() == {"name": "m", "ready": True}
    gone = front("GET", "/v1/models/gone")
    assert (gone.status_code, gone.json()) == (503, {"name": "gone", "ready": False})


def test_the_scoring_server_asks_the_default_model(front: Front) -> None:
    front.routes = {"m": front.routes["m"]}
    body = {"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}
    assert front("POST", "/invocations", json=body).json() == {"predictions": [20.0, 30.0]}
    body["dataframe_split"]["data"] = [[1], ["2"]]
    document = problem(front("POST", "/invocations", json=body), 422, "input-rejected")
    assert document["errors"][0]["pointer"] == "/dataframe_split/data/1/0"
    problem(
        front("POST", "/invocations", content="x", headers={"content-type": "text/csv"}), 415, "media-type-unsupported"
    )


def test_the_scoring_server_says_how_it_is(front: Front) -> None:
    assert front("GET", "/version").text == "1.2.3"
    assert [front("GET", path).status_code for path in ("/ping", "/health")] == [503, 503]
    front.routes = {"m": front.routes["m"]}
    assert [front("GET", path).status_code for path in ("/ping", "/health")] == [200, 200]
