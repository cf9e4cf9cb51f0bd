"""The Open Inference Protocol as its own client speaks it, against two versions of a model and a table of strings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from gateway.demo.data import CLASSES, load_phishing
from gateway.demo.graphs import INPUT_NAME
from tests import loopback, models
from tests.end_to_end.running import TOKEN, RunningGateway

Array = npt.NDArray[Any]
PAGES = load_phishing().values_nd[:12].astype(np.float32)
FLOWERS: dict[str, Array] = {
    "petal_length": np.array([[1.4], [4.7], [6.0]], np.float32),
    "petal_width": np.array([[0.2], [1.4], [2.5]], np.float32),
    "sepal": np.array([["short"], ["long"], ["medium"]], np.object_),
}


@pytest.fixture(scope="module")
def folder(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton") / "models"
    for version in ("1", "2"):
        shutil.copytree(demo_models / "phishing" / version, folder / "phishing" / version)
    models.write_bundle(folder / "iris" / "1", models.columns_classifier())
    models.write_bundle(folder / "sums" / "1", models.multi_output())
    models.write_bundle(folder / "table" / "1", models.failing_model())
    return folder


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[RunningGateway]:
    with RunningGateway(folder, folder.parent / "weir.db", workers=1) as running:
        running.wait_for_workers("phishing", "1")
        yield running


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(gateway.url.removeprefix("http://")) as running:
        yield running


def tensors(arrays: dict[str, Array], *, binary: bool = False) -> list[triton.InferInput]:
    """Return arrays as the client's inputs."""
    made = []
    for name, array in arrays.items():
        datatype = "BYTES" if array.dtype == np.object_ else "FP32"
        tensor = triton.InferInput(name, list(array.shape), datatype)
        made.append(tensor.set_data_from_numpy(array, binary_data=binary))
    return made


def own_answer(path: Path, feeds: dict[str, Array]) -> dict[str, Array]:
    """Return what onnxruntime itself answers, by output."""
    session = ort.InferenceSession(path / "model.onnx")
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))


def body_of(array: Array, **changes: Any) -> dict[str, Any]:
    """Return an inference request for the phishing model."""
    tensor = {"name": INPUT_NAME, "shape": list(array.shape), "datatype": "FP32", "data": array.tolist()} | changes
    return {"inputs": [tensor]}


def test_server_and_models_say_that_they_are_live_and_ready(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("phishing")
    assert client.is_model_ready("phishing", "1")
    assert not client.is_model_ready("phishing", "7")
    assert not client.is_model_ready("nothing")


def test_metadata_of_server_and_model(client: triton.InferenceServerClient) -> None:
    assert client.get_server_metadata()["name"] == "weir"
    metadata = client.get_model_metadata("phishing", "1")
    assert metadata["name"] == "phishing"
    assert metadata["versions"] == ["1", "2"]
    assert metadata["inputs"] == [{"name": INPUT_NAME, "datatype": "FP32", "shape": [-1, 9]}]
    assert [(output["name"], output["datatype"]) for output in metadata["outputs"]] == [
        ("label", "BYTES"),
        ("probabilities", "FP32"),
    ]


@pytest.mark.parametrize("version", ["1", "2"])
def test_each_version_answers_what_onnxruntime_answers(
    client: triton.InferenceServerClient, folder: Path, version: str
) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("probabilities", "label")]
    answer = client.infer("phishing", tensors({INPUT_NAME: PAGES}), version, outputs=wanted, request_id="r-1")
    document = answer.get_response()
    assert (document["model_name"], document["model_version"], document["id"]) == ("phishing", version, "r-1")
    assert [output["name"] for output in document["outputs"]] == ["probabilities", "label"]
    expected = own_answer(folder / "phishing" / version, {INPUT_NAME: PAGES})
    np.testing.assert_array_equal(answer.as_numpy("label"), expected["label"])
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected["probabilities"], rtol=1e-6)
    assert answer.as_numpy("probabilities").dtype == np.float32
    assert set(answer.as_numpy("label")) <= set(CLASSES)


def test_without_a_version_the_route_decides(client: triton.InferenceServerClient) -> None:
    answer = client.infer("phishing", tensors({INPUT_NAME: PAGES}))
    assert answer.get_response()["model_version"] == "2"


@pytest.mark.parametrize("outputs_binary", [True, False])
@pytest.mark.parametrize("inputs_binary", [True, False])
def test_tensors_travel_as_raw_bytes_either_way(
    client: triton.InferenceServerClient, inputs_binary: bool, outputs_binary: bool
) -> None:
    wanted = [triton.InferRequestedOutput("total", binary_data=outputs_binary)]
    x_nd = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], np.float32)
    answer = client.infer("sums", tensors({"x": x_nd}, binary=inputs_binary), outputs=wanted)
    np.testing.assert_array_equal(answer.as_numpy("total"), [[6.0], [15.5]])
    assert answer.as_numpy("doubled") is None
    assert ("data" in answer.get_output("total")) != outputs_binary


def test_raw_tensors_may_be_packed_by_gzip(client: triton.InferenceServerClient) -> None:
    ones = tensors({"x": np.ones((5, 3), np.float32)}, binary=True)
    answer = client.infer("sums", ones, request_compression_algorithm="gzip", response_compression_algorithm="gzip")
    np.testing.assert_array_equal(answer.as_numpy("total"), [[3.0]] * 5)


def test_the_client_s_own_defaults_are_raw_bytes_both_ways(client: triton.InferenceServerClient, folder: Path) -> None:
    expected = own_answer(folder / "phishing" / "2", {INPUT_NAME: PAGES})
    answer = client.infer("phishing", tensors({INPUT_NAME: PAGES}, binary=True), "2")
    np.testing.assert_array_equal(answer.as_numpy("probabilities"), expected["probabilities"])
    assert answer.as_numpy("label").tolist() == [label.encode() for label in expected["label"]]


@pytest.mark.parametrize("binary", [True, False])
def test_strings_go_in_and_out(client: triton.InferenceServerClient, folder: Path, binary: bool) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("label", "probabilities")]
    answer = client.infer("iris", tensors(FLOWERS, binary=binary), outputs=wanted)
    expected = own_answer(folder / "iris" / "1", FLOWERS)
    labels = [label.decode() if binary else label for label in answer.as_numpy("label").tolist()]
    assert labels == expected["label"].tolist()
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected["probabilities"], rtol=1e-6)


@pytest.mark.parametrize(
    ("model", "version", "inputs", "status", "words"),
    [
        pytest.param("nothing", "", {INPUT_NAME: PAGES}, "404", "nothing", id="unknown model"),
        pytest.param("phishing", "7", {INPUT_NAME: PAGES}, "404", "7", id="unknown version"),
        pytest.param("phishing", "1", {"Z": PAGES}, "400", "unknown inputs ['Z']", id="unknown input"),
        pytest.param("phishing", "1", {INPUT_NAME: PAGES[:, :3]}, "400", "shape [-1, 9]", id="wrong shape"),
        pytest.param("iris", "", {**FLOWERS, "sepal": PAGES[:3, :1]}, "400", "datatype BYTES", id="wrong datatype"),
        pytest.param("table", "", {"x": np.array([[7.0]], np.float32)}, "500", "table", id="model raises"),
    ],
)
def test_the_client_raises_with_status_and_words(
    client: triton.InferenceServerClient, model: str, version: str, inputs: dict[str, Array], status: str, words: str
) -> None:
    with pytest.raises(InferenceServerException) as refused:
        client.infer(model, tensors(inputs), version)
    assert refused.value.status() == status
    assert words in refused.value.message()


@pytest.mark.parametrize(
    ("length", "words"),
    [("nine", "a number of bytes"), ("99999", "the body has"), ("2", "not an inference request")],
)
def test_a_length_of_the_json_that_is_none_is_refused(gateway: RunningGateway, length: str, words: str) -> None:
    headers = {"inference-header-content-length": length}
    answer = loopback.post(f"{gateway.url}/v2/models/phishing/infer", json=body_of(PAGES), headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param("/v2/models/nothing", None, 404, "nothing", id="metadata of an unknown model"),
        pytest.param("/v2/models/phishing/versions/7/ready", None, 404, "7", id="readiness of an unknown version"),
        pytest.param("/v2/models/nothing/stats", None, 404, "nothing", id="statistics of an unknown model"),
        pytest.param("/v2/models/phishing/versions/7/stats", None, 404, "7", id="statistics of an unknown version"),
        pytest.param("/v2/repository/index", {"ready": 1}, 400, "/ready", id="a broken filter"),
        pytest.param("/v2/models/nothing/infer", body_of(PAGES), 404, "nothing", id="unknown model"),
        pytest.param(
            "/v2/models/phishing/infer", body_of(PAGES, datatype="FP16X"), 400, "datatype FP32", id="no datatype"
        ),
        pytest.param("/v2/models/phishing/infer", body_of(PAGES, shape=[2, 9]), 400, "108 values", id="too much data"),
        pytest.param(
            "/v2/models/phishing/infer", body_of(PAGES, data=[["x"] * 9] * 12), 400, "does not fit", id="no numbers"
        ),
        pytest.param("/v2/models/phishing/infer", {"instances": []}, 400, "inputs", id="another protocol"),
        pytest.param("/v2/models/phishing/infer", {"inputs": []}, 400, "missing inputs", id="no inputs"),
        pytest.param(
            "/v2/models/phishing/infer",
            body_of(PAGES) | {"outputs": [{"name": "y"}]},
            400,
            "unknown outputs ['y']",
            id="unknown output",
        ),
        pytest.param("/v2/nothing", None, 404, "/v2/nothing", id="unknown path"),
        pytest.param("/v2/models/phishing/infer", None, 405, "POST", id="wrong method"),
    ],
)
def test_errors_have_the_protocol_s_body(
    gateway: RunningGateway, path: str, body: dict[str, Any] | None, status: int, words: str
) -> None:
    answer = loopback.get(gateway.url + path) if body is None else loopback.post(gateway.url + path, json=body)
    document = answer.json()
    assert (answer.status_code, list(document)) == (status, ["error"])
    assert words in document["error"]
    assert answer.headers["content-type"] == "application/json"


def test_flat_and_nested_data_are_the_same(gateway: RunningGateway) -> None:
    url = f"{gateway.url}/v2/models/phishing/versions/1/infer"
    answers = [loopback.post(url, json=body_of(PAGES, data=data)) for data in (PAGES.tolist(), PAGES.ravel().tolist())]
    assert answers[0].json()["outputs"] == answers[1].json()["outputs"]
    assert {answer.headers["x-variant"] for answer in answers} == {"pinned"}


def test_statistics_count_requests_rows_and_runs(client: triton.InferenceServerClient) -> None:
    def counts() -> tuple[int, int, int]:
        (stats,) = client.get_inference_statistics("sums", "1")["model_stats"]
        assert (stats["name"], stats["version"]) == ("sums", "1")
        return stats["inference_stats"]["success"]["count"], stats["inference_count"], stats["execution_count"]

    before = counts()
    client.infer("sums", tensors({"x": np.ones((5, 3), np.float32)}))
    assert tuple(np.subtract(counts(), before)) == (1, 5, 1)
    versions = client.get_inference_statistics("phishing")["model_stats"]
    assert [stats["version"] for stats in versions] == ["1", "2"]


def test_the_repository_is_listed_loaded_and_unloaded(client: triton.InferenceServerClient) -> None:
    index = client.get_model_repository_index()
    assert {(entry["name"], entry["version"], entry["state"]) for entry in index} >= {
        ("phishing", "1", "READY"),
        ("iris", "1", "READY"),
    }
    with pytest.raises(InferenceServerException) as refused:
        client.load_model("phishing")
    assert refused.value.status() == "401"
    headers = {"authorization": f"Bearer {TOKEN}"}
    with pytest.raises(InferenceServerException, match="'config' is refused"):
        client.load_model("phishing", headers=headers, config="{}")
    client.load_model("phishing", headers=headers)
    with pytest.raises(InferenceServerException) as in_use:
        client.unload_model("sums", headers=headers)
    assert in_use.value.status() == "409"
