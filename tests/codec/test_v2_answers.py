"""Answers of the Open Inference Protocol: as JSON or raw, by themselves or those of a run together."""

import json

import numpy as np
import pytest

from gateway.codec.tensors import datatype_of_array
from gateway.codec.v2_answers import V2Writer


def test_answers_are_json_with_flat_data_and_null_for_what_json_cannot_say() -> None:
    raw, json_bytes = V2Writer("m", "1", {}).write(
        "r",
        {
            "p": np.array([[0.5, np.nan], [np.inf, 1.0]], np.float32),
            "label": np.array(["a", "ä"], object),
            "k": np.array([2**62, -1], np.int64),
            "b": np.array([[True], [False]]),
        },
    )
    assert json_bytes is None
    document = json.loads(raw)
    outputs = {tensor.pop("name"): tensor for tensor in document.pop("outputs")}
    assert document == {"model_name": "m", "model_version": "1", "id": "r", "parameters": {}}
    assert outputs == {
        "p": {"shape": [2, 2], "datatype": "FP32", "data": [0.5, None, None, 1.0]},
        "label": {"shape": [2], "datatype": "BYTES", "data": ["a", "ä"]},
        "k": {"shape": [2], "datatype": "INT64", "data": [2**62, -1]},
        "b": {"shape": [2, 1], "datatype": "BOOL", "data": [True, False]},
    }


def test_raw_outputs_follow_the_json_in_its_order() -> None:
    p, label = np.array([[0.5, np.nan]], np.float32), np.array(["ä"], object)
    body, json_bytes = V2Writer("m", "1", {}).write("r", {"p": p, "k": np.array([3]), "label": label}, {"label", "p"})
    assert [output.get("data") for output in json.loads(body[:json_bytes])["outputs"]] == [None, [3], None]
    assert [output.get("parameters") for output in json.loads(body[:json_bytes])["outputs"]] == [
        {"binary_data_size": 8},
        None,
        {"binary_data_size": 6},
    ]
    assert body[json_bytes:] == p.tobytes() + b"\x02\x00\x00\x00" + "ä".encode()


def test_what_else_is_to_be_said_stands_among_the_parameters() -> None:
    body, _ = V2Writer("m", "1", {"variant": "constant"}).write("r", {"p": np.array([1.0])})
    assert json.loads(body)["parameters"] == {"variant": "constant"}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
def test_raw_answers_of_a_run_are_those_to_its_requests_one_by_one(dtype: str) -> None:
    outputs = {"p": np.arange(24).reshape(8, 3).astype(dtype), "flat": np.arange(8), "t": np.arange(16).reshape(2, 8).T}
    told = [("a", slice(0, 1)), ('"b"', slice(1, 4)), ("ä", slice(4, 5)), ("c", slice(5, 8)), ("a", slice(0, 1))]
    writer, together = V2Writer("m", "1", {}), V2Writer("m", "1", {})
    for (request_id, span), (head, raw) in zip(told, together.write_raw(outputs, told), strict=True):
        part = {name: array[span] for name, array in outputs.items()}
        assert (b"".join((head, *raw)), len(head)) == writer.write(request_id, part, set(part))
        assert json.loads(head)["id"] == request_id


def test_raw_answers_that_are_alike_but_for_their_size_are_told_apart() -> None:
    writer = V2Writer("m", "1", {})
    for array in (
        np.zeros((2, 3)),
        np.zeros((3, 2)),
        np.zeros(6),
        np.zeros(6, np.int64),
        np.array(["a", "bc"]),
        np.array(["a", "b"]),
    ):
        for name in "pq":
            body, json_bytes = writer.write("r", {name: array}, {name})
            (output,) = json.loads(body[:json_bytes])["outputs"]
            assert (output["name"], output["shape"]) == (name, list(array.shape))
            assert output["datatype"] == datatype_of_array(array)
            assert output["parameters"] == {"binary_data_size": len(body[json_bytes:])}


def test_what_is_remembered_is_bounded() -> None:
    writer = V2Writer("m", "1", {})
    for rows in range(1, 1_000):
        body, json_bytes = writer.write("r", {"p": np.zeros(rows, np.uint8)}, {"p"})
        assert json_bytes is not None
        assert len(body) == json_bytes + rows
        assert len(writer._known) <= 256
