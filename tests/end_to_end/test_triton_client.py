"""The Open Inference Protocol as its own client speaks it, against two versions of a model and a table of strings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from gateway.demo.data import CLASSES, load_phishing
from gateway.demo.graphs import INPUT_NAME
from tests import models
from tests.end_to_end.running import RunningGateway

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


@pytest.mark.parametrize("binary", [True, False])
def test_outputs_that_are_asked_for_in_binary_come_as_json(client: triton.InferenceServerClient, binary: bool) -> None:
    outputs = [triton.InferRequestedOutput("total", binary_data=binary)] if binary else None
    x_nd = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]], np.float32)
    answer = client.infer("sums", tensors({"x": x_nd}), outputs=outputs)
    np.testing.assert_array_equal(answer.as_numpy("total"), [[6.0], [15.5]])
    assert (answer.as_numpy("doubled") is None) == binary


def test_strings_go_in_and_out(client: triton.InferenceServerClient, folder: Path) -> None:
    answer = client.infer("iris", tensors(FLOWERS))
    expected = own_answer(folder / "iris" / "1", FLOWERS)
    np.testing.assert_array_equal(answer.as_numpy("label"), expected["label"])
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


def test_binary_tensors_are_refused_with_the_way_out(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="binary_data=False") as refused:
        client.infer("phishing", tensors({INPUT_NAME: PAGES}, binary=True))
    assert refused.value.status() == "400"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        pytest.param("/v2/models/nothing", None, 404, "nothing", id="metadata of an unknown model"),
        pytest.param("/v2/models/phishing/versions/7/ready", None, 404, "7", id="readiness of an unknown version"),
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
    answer = httpx.get(gateway.url + path) if body is None else httpx.post(gateway.url + path, json=body)
    document = answer.json()
    assert (answer.status_code, list(document)) == (status, ["error"])
    assert words in document["error"]
    assert answer.headers["content-type"] == "application/json"


def test_flat_and_nested_data_are_the_same(gateway: RunningGateway) -> None:
    url = f"{gateway.url}/v2/models/phishing/versions/1/infer"
    answers = [httpx.post(url, json=body_of(PAGES, data=data)) for data in (PAGES.tolist(), PAGES.ravel().tolist())]
    assert answers[0].json()["outputs"] == answers[1].json()["outputs"]
    assert {answer.headers["x-variant"] for answer in answers} == {"pinned"}
