"""The Open Inference Protocol over ASGI."""

import json

import pytest

from gateway.http.v2 import EXTENSIONS
from tests.http.front import Front, protocol_error

X = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}


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
