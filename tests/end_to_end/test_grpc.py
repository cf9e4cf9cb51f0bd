"""The gRPC service as the protocol's own clients speak it, against a real gateway with two workers on one port."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from tests import models
from tests.certificates import make_certificate
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import TOKEN, RunningGateway, free_port

Array = npt.NDArray[Any]
X_ND = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], np.float32)
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


class GrpcGateway(RunningGateway):
    """A gateway that speaks gRPC beside HTTP."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        workers: int = 1,
        environ: dict[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.grpc_port = free_port()
        self.address = f"127.0.0.1:{self.grpc_port}"
        flags = ("--grpc-port", str(self.grpc_port), *flags)
        state = folder / "weir.db"
        super().__init__(folder / "models", state, *flags, workers=workers, environ=environ, ca_file=ca_file)

    def stub(self) -> Any:
        """Return the bare service, for what the clients do not show."""
        return service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.address))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grpc")
    models.write_bundle(folder / "models" / "iris" / "1", models.columns_classifier())
    for version in ("1", "2"):
        models.write_bundle(folder / "models" / "sums" / version, models.multi_output())
    models.write_bundle(folder / "models" / "table" / "1", models.failing_model())
    models.write_bundle(folder / "models" / "slow" / "1", models.slow_model())
    return folder


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[GrpcGateway]:
    in_threads = {"WEIR_SERVING__ON_LOOP_MS": "0", "WEIR_LIMITS__REQUEST_TIMEOUT_S": "2"}
    running = GrpcGateway(folder, workers=2, environ=in_threads)
    with running:
        for model in ("iris", "sums", "table", "slow"):
            running.wait_for_workers(model, "1")
        yield running


@pytest.fixture(scope="module")
def client(gateway: GrpcGateway) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(gateway.address) as running:
        yield running


def tensors(**arrays: Array) -> list[triton.InferInput]:
    made = []
    for name, array in arrays.items():
        datatype = "BYTES" if array.dtype == np.object_ else "FP32"
        made.append(triton.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array))
    return made


def message(model: str = "sums", x_nd: Array = X_ND, **more: Any) -> Any:
    tensor = {"name": "x", "datatype": "FP32", "shape": x_nd.shape, "contents": {"fp32_contents": x_nd.ravel()}}
    return service_pb2.ModelInferRequest(model_name=model, inputs=[tensor], **more)


def test_server_and_models_say_what_they_are(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("sums")
    assert client.is_model_ready("sums", "2")
    assert not client.is_model_ready("sums", "7")
    assert not client.is_model_ready("nothing")
    server = client.get_server_metadata(as_json=True)
    assert server["name"] == "weir"
    assert {"model_repository", "statistics"} <= set(server["extensions"])
    assert "binary_tensor_data" not in server["extensions"]
    metadata = client.get_model_metadata("sums", as_json=True)
    assert (metadata["versions"], metadata["platform"]) == (["1", "2"], "onnx_onnxv1")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "3"]}]


def test_an_answer_is_what_onnxruntime_answers(client: triton.InferenceServerClient, folder: Path) -> None:
    feeds = {
        "petal_length": np.array([[1.4], [4.7]], np.float32),
        "petal_width": np.array([[0.2], [1.4]], np.float32),
        "sepal": np.array([["short"], ["long"]], np.object_),
    }
    session = ort.InferenceSession(folder / "models" / "iris" / "1" / "model.onnx")
    expected = dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))
    answer = client.infer("iris", tensors(**feeds), request_id="r-1")
    response = answer.get_response()
    assert (response.model_name, response.model_version, response.id) == ("iris", "1", "r-1")
    names = [output.name for output in response.outputs]
    for name in names:
        found = answer.as_numpy(name)
        if found.dtype == np.object_:
            found = np.array([text.decode() for text in found], object)
        np.testing.assert_allclose(found, expected[name], rtol=1e-6) if found.dtype.kind == "f" else (
            np.testing.assert_array_equal(found, expected[name])
        )


def test_only_the_requested_outputs_come_back(client: triton.InferenceServerClient) -> None:
    every = client.infer("sums", tensors(x=X_ND), "1").get_response()
    assert len(every.outputs) > 1
    some = client.infer("sums", tensors(x=X_ND), "1", outputs=[triton.InferRequestedOutput("total")])
    assert [output.name for output in some.get_response().outputs] == ["total"]
    np.testing.assert_allclose(some.as_numpy("total").ravel(), X_ND.sum(axis=1))


def test_listed_and_raw_tensors_are_the_same(gateway: GrpcGateway) -> None:
    listed = message(id="r")
    raw = service_pb2.ModelInferRequest()
    raw.CopyFrom(listed)
    raw.inputs[0].ClearField("contents")
    raw.raw_input_contents.append(X_ND.tobytes())
    stub = gateway.stub()
    assert stub.ModelInfer(listed).raw_output_contents == stub.ModelInfer(raw).raw_output_contents


def test_metadata_says_who_answered(gateway: GrpcGateway) -> None:
    asked = (("x-request-id", "mine"), ("x-route-key", "ann"))
    told = dict(gateway.stub().ModelInfer.with_call(message(), metadata=asked)[1].trailing_metadata())
    assert told["x-request-id"] == "mine"
    assert (told["x-variant"], told["x-model-version"], told["x-route-revision"]) == ("stable", "2", "1")
    assert told["server-timing"].startswith("queue;dur=")


@pytest.mark.parametrize(
    ("request_message", "code", "problem", "words"),
    [
        (message("nothing"), grpc.StatusCode.NOT_FOUND, "model-unknown", "nothing"),
        (message(model_version="9"), grpc.StatusCode.NOT_FOUND, "version-unknown", "'9'"),
        (message(x_nd=X_ND[:, :2]), grpc.StatusCode.INVALID_ARGUMENT, "body-malformed", "shape"),
        (message(outputs=[{"name": "é" * 9_000}]), grpc.StatusCode.INVALID_ARGUMENT, "body-malformed", "unknown"),
        (message("table", np.full((1, 1), 9, np.float32)), grpc.StatusCode.INTERNAL, "execution-failed", "failed"),
    ],
    ids=["model", "version", "shape", "output", "execution"],
)
def test_errors_are_told_by_status_and_problem(
    gateway: GrpcGateway, request_message: Any, code: grpc.StatusCode, problem: str, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        gateway.stub().ModelInfer(request_message, metadata=(("x-request-id", "mine"),))
    told = dict(caught.value.trailing_metadata())
    assert (caught.value.code(), words in caught.value.details()) == (code, True)
    assert (told["weir-problem"], told["x-request-id"]) == (f"urn:weir:problem:{problem}", "mine")


def test_a_deadline_ends_the_call_and_the_worker_goes_on(client: triton.InferenceServerClient) -> None:
    for_ever = np.full((1, 1), 2.0**40, np.float32)
    with pytest.raises(InferenceServerException) as caught:
        client.infer("slow", tensors(x=for_ever), client_timeout=0.3)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert client.is_server_ready()


def test_a_compressed_message_is_read_and_a_bomb_is_not(client: triton.InferenceServerClient) -> None:
    answer = client.infer("sums", tensors(x=X_ND), compression_algorithm="gzip")
    np.testing.assert_allclose(answer.as_numpy("total").ravel(), X_ND.sum(axis=1))
    zeros = np.zeros((2_000_000, 3), np.float32)  # 24 MB of memory, 24 KB on the wire
    with pytest.raises(InferenceServerException, match="larger than max"):
        client.infer("sums", tensors(x=zeros), compression_algorithm="gzip")


@pytest.mark.parametrize(
    ("rpc", "asked", "words"),
    [
        ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest(), "no memory is shared"),
        ("CudaSharedMemoryRegister", service_pb2.CudaSharedMemoryRegisterRequest(), "no memory is shared"),
        ("TraceSetting", service_pb2.TraceSettingRequest(), "settings of the server"),
        ("LogSettings", service_pb2.LogSettingsRequest(), "settings of the server"),
        ("ModelConfig", service_pb2.ModelConfigRequest(name="sums"), "use ModelMetadata"),
    ],
)
def test_what_is_not_offered_is_refused_in_words(gateway: GrpcGateway, rpc: str, asked: Any, words: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(gateway.stub(), rpc)(asked)
    assert (caught.value.code(), words in caught.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, True)


def test_a_stream_answers_in_order_and_survives_its_errors(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    try:
        for n in range(200):
            name = "nothing" if n == 50 else "sums"
            client.async_stream_infer(name, tensors(x=X_ND + n), request_id=str(n))
        found = [answers.get(timeout=20.0) for _ in range(200)]
    finally:
        client.stop_stream()
    result, error = found.pop(50)
    assert (result, "no model named 'nothing'" in str(error)) == (None, True)
    assert [answer.get_response().id for answer, _ in found] == [str(n) for n in range(200) if n != 50]
    np.testing.assert_allclose(found[-1][0].as_numpy("total").ravel(), (X_ND + 199).sum(axis=1))
    parameters = found[0][0].get_response().parameters
    assert (parameters["x-variant"].string_param, parameters["triton_final_response"].bool_param) == ("stable", True)


def test_the_asynchronous_client_asks_and_streams(gateway: GrpcGateway) -> None:
    async def asked() -> AsyncIterator[dict[str, Any]]:
        for n in range(20):
            yield {"model_name": "sums", "inputs": tensors(x=X_ND), "request_id": str(n)}

    async def scenario() -> None:
        async with triton_aio.InferenceServerClient(gateway.address) as client:
            totals = await asyncio.gather(*(client.infer("sums", tensors(x=X_ND + n)) for n in range(50)))
            for n, answer in enumerate(totals):
                np.testing.assert_allclose(answer.as_numpy("total").ravel(), (X_ND + n).sum(axis=1))
            streamed = [result.get_response().id async for result, error in client.stream_infer(asked())]
            assert streamed == [str(n) for n in range(20)]

    asyncio.run(scenario())


def test_statistics_count_requests_rows_and_runs(client: triton.InferenceServerClient) -> None:
    def counts() -> tuple[int, int]:
        (stats,) = client.get_inference_statistics("sums", "1").model_stats
        return stats.inference_stats.success.count, stats.inference_count

    before = counts()
    client.infer("sums", tensors(x=np.ones((5, 3), np.float32)), "1")
    assert tuple(np.subtract(counts(), before)) == (1, 5)
    every = client.get_inference_statistics().model_stats
    assert [(stats.name, stats.version) for stats in every if stats.name == "sums"] == [("sums", "1"), ("sums", "2")]


def test_the_repository_is_listed_loaded_and_unloaded(
    gateway: GrpcGateway, client: triton.InferenceServerClient
) -> None:
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {(entry["name"], entry["version"], entry["state"]) for entry in index} >= {("sums", "1", "READY")}
    with pytest.raises(InferenceServerException) as refused:
        client.unload_model("sums")
    assert refused.value.status() == "StatusCode.UNAUTHENTICATED"
    with pytest.raises(InferenceServerException, match="'config' is refused"):
        client.load_model("sums", headers=AUTHORIZED, config="{}")
    client.unload_model("sums", headers=AUTHORIZED)
    gateway.wait_until(lambda: not client.is_model_ready("sums", "1"), "sums 1 unloaded")
    wanted = {"model_name": "sums", "parameters": {"version": service_pb2.ModelRepositoryParameter(string_param="1")}}
    metadata = (*AUTHORIZED.items(), ("x-request-id", "from-the-test"))
    gateway.stub().RepositoryModelLoad(service_pb2.RepositoryModelLoadRequest(**wanted), metadata=metadata)
    assert client.is_model_ready("sums", "1")
    with pytest.raises(InferenceServerException) as in_use:
        client.unload_model("table", headers=AUTHORIZED)
    assert in_use.value.status() == "StatusCode.FAILED_PRECONDITION"
    with gateway.client() as http:
        records = http.get("/admin/v1/audit", params={"resource": "residency/sums"}).json()["records"]
    assert records[-1]["action"] == "version.load"
    assert records[-1]["request_id"] == "from-the-test"


def test_rpcs_are_counted_by_method_and_status(gateway: GrpcGateway, client: triton.InferenceServerClient) -> None:
    def counted(code: str) -> float:
        return MetricsPage.of(gateway.url).sum("weir_grpc_requests_total", method="ModelInfer", code=code)

    before = counted("OK"), counted("NOT_FOUND")
    client.infer("sums", tensors(x=X_ND))
    with pytest.raises(InferenceServerException):
        client.infer("nothing", tensors(x=X_ND))
    gateway.wait_until(lambda: (counted("OK"), counted("NOT_FOUND")) == (before[0] + 1, before[1] + 1), "counted")


def test_shadows_repeat_what_came_by_grpc(gateway: GrpcGateway, client: triton.InferenceServerClient) -> None:
    def repeated(result: str) -> float:
        return MetricsPage.of(gateway.url).sum("weir_shadow_requests_total", model="sums", version="1", result=result)

    assert gateway.put_route("sums", stable="2", shadow=[{"version": "1"}]).status_code == 200

    def agrees() -> bool:
        client.infer("sums", tensors(x=X_ND))
        return repeated("agree") > 0

    gateway.wait_until(agrees, "repeated by the shadow")
    assert repeated("error") == 0


def test_a_rolling_restart_fails_no_request(gateway: GrpcGateway, client: triton.InferenceServerClient) -> None:
    before = set(gateway.children("gateway.app"))
    os.kill(gateway.pid, signal.SIGHUP)

    def renewed() -> bool:
        for _ in range(20):
            client.infer("sums", tensors(x=X_ND))
        now = set(gateway.children("gateway.app"))
        return len(now) == gateway.workers and not now & before

    gateway.wait_until(renewed, "renewed")


def test_a_stopping_gateway_answers_what_it_has_read_and_ends_its_streams(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "models" / "sums" / "1", models.multi_output())
    # An open stream that held up the end would do so for an hour.
    gateway = GrpcGateway(tmp_path, environ={"WEIR_SERVING__DRAIN_S": "3600"})
    with gateway, triton.InferenceServerClient(gateway.address) as client:
        answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("sums", tensors(x=X_ND))
        assert answers.get(timeout=20.0)[1] is None
        assert gateway.stop() == 0
        error = answers.get(timeout=20.0)[1]
        assert (error.status(), "about to stop" in str(error)) == ("StatusCode.UNAVAILABLE", True)
        client.stop_stream()
    lines = gateway.log.read_text().splitlines()
    assert [line for line in lines if '"error"' in line] == []
    assert [line for line in lines if not line.startswith(("{", "gRPC: ", "weir serves "))] == []


def test_grpc_is_spoken_over_tls(tmp_path: Path) -> None:
    models.write_bundle(tmp_path / "models" / "sums" / "1", models.multi_output())
    made = make_certificate(tmp_path)
    flags = ("--tls-cert", str(made.cert), "--tls-key", str(made.key), "--admin-port", "0")
    gateway = GrpcGateway(tmp_path, *flags, ca_file=made.cert)
    with gateway:
        safe = triton.InferenceServerClient(gateway.address, ssl=True, root_certificates=str(made.cert))
        with safe as client:
            client.infer("sums", tensors(x=X_ND))
            assert "model_repository" not in client.get_server_metadata().extensions
            with pytest.raises(InferenceServerException, match="on the admin port"):
                client.load_model("sums", headers=AUTHORIZED)
        with triton.InferenceServerClient(gateway.address) as client, pytest.raises(InferenceServerException):
            client.is_server_live()
        assert f"gRPC: {gateway.address} over TLS" in gateway.log.read_text()


def test_a_port_that_somebody_listens_on_is_refused(gateway: GrpcGateway, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    command = [sys.executable, "-m", "gateway.cli", "serve", "--models", "models", "--port", "0"]
    command += ["--grpc-port", str(gateway.grpc_port)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ)
    assert (ended.returncode, "in use" in ended.stderr) == (1, True)
