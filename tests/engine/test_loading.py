"""Loading: every shape of model answers, is batched only where rows keep their place, and is refused where it fails."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from gateway.engine.binding import Hint
from gateway.engine.loading import load_version
from gateway.engine.session import OnnxSession, RunFailed
from gateway.errors import VersionRefused
from gateway.settings import ServingSettings
from tests import models
from tests.serving import EAGER, bundle_of, servable_of

UP_TO_128 = replace(EAGER, max_batch_rows=128)


def floats(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def graph_of(nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: Any) -> bytes:
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    opsets = [helper.make_opsetid("", models.OPSET)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=models.IR_VERSION).SerializeToString())


def fixed_batch(rows: int, keeps_rows: bool = True) -> bytes:
    if keeps_rows:
        return graph_of([helper.make_node("Add", ["x", "x"], ["y"])], [floats("x", rows, 2)], [floats("y", rows, 2)])
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)
    return graph_of([node], [floats("x", rows, 2)], [floats("y", 1, 1)])


def total_of_all() -> bytes:
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    return graph_of([node], [floats("x", "n", 2)], [floats("y")])


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        pytest.param(models.matrix_classifier(), 128, id="matrix"),
        pytest.param(models.columns_classifier(), 128, id="columns"),
        pytest.param(models.zipmap_classifier(), 128, id="zipmap"),
        pytest.param(models.regressor(), 128, id="regressor"),
        pytest.param(models.multi_output(), 128, id="several outputs"),
        pytest.param(models.image_model(), 128, id="image"),
        pytest.param(fixed_batch(4), 128, id="fixed batch"),
        pytest.param(fixed_batch(4, keeps_rows=False), None, id="fixed batch, rows lost"),
        pytest.param(total_of_all(), None, id="one number for all rows"),
    ],
)
def test_requests_are_batched_where_rows_keep_their_place(tmp_path: Path, model: bytes, rows: int | None) -> None:
    version = servable_of(tmp_path, model, serving=UP_TO_128)
    assert version.max_batch_rows == rows
    assert version.inline_rows > 0


def test_a_batch_gives_every_row_what_it_gets_alone(tmp_path: Path) -> None:
    for number, model in enumerate([models.matrix_classifier(), models.zipmap_classifier(), fixed_batch(4)]):
        version = servable_of(tmp_path / str(number), model)
        (spec,) = version.inputs.values()
        x_nd = np.random.default_rng(3).normal(size=(9, spec.shape[1])).astype(np.float32)
        whole = version.run({spec.name: x_nd}, 9)
        assert whole.scores_nk is not None or whole.labels is None
        for i in range(9):
            alone = version.run({spec.name: x_nd[i : i + 1]}, 1)
            np.testing.assert_allclose(alone.raw[-1], whole.rows(slice(i, i + 1)).raw[-1], rtol=1e-5)


def test_a_fixed_batch_takes_any_number_of_rows(tmp_path: Path) -> None:
    version = servable_of(tmp_path, fixed_batch(4))
    for n in (1, 3, 4, 5, 8, 11):
        x_nd = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
        assert version.run({"x": x_nd}, n).raw[0].tolist() == (2 * x_nd).tolist()


def test_one_number_for_all_rows_is_answered_as_a_list_of_one(tmp_path: Path) -> None:
    version = servable_of(tmp_path, total_of_all())
    outputs = version.run({"x": np.ones((3, 2), np.float32)}, 3)
    assert version.reader.predictions(outputs) == [6.0]
    assert version.reader.label_codes(outputs, 3).tolist() == [-1, -1, -1]


def test_external_data_is_read_from_memory(tmp_path: Path) -> None:
    version = servable_of(tmp_path, models.external_data_model(), files={"weights.bin": models.external_weights()})
    (tmp_path / "weights.bin").unlink()
    assert version.run({"x": np.ones((1, 4), np.float32)}, 1).raw[0].tolist() == [[12.0, 16.0]]


def test_the_feature_transform_runs_first_and_its_inputs_are_the_contract(tmp_path: Path) -> None:
    node = helper.make_node("Concat", ["a", "b"], ["joined"], axis=1)
    transform = graph_of([node], [floats("a", "n", 1), floats("b", "n", 2)], [floats("joined", "n", 3)])
    columns = graph_of(
        [helper.make_node("Concat", ["p", "q", "q"], ["joined"], axis=1)],
        [floats("p", "n", 1), floats("q", "n", 1)],
        [floats("joined", "n", 3)],
    )
    version = servable_of(tmp_path / "1", models.multi_output(), files={"features.onnx": columns})
    assert (version.contract.layout, [f.name for f in version.contract.features]) == ("columns", ["p", "q"])
    feeds = {"p": np.array([[1.0]], np.float32), "q": np.array([[5.0]], np.float32)}
    assert version.run(feeds, 1).scores_nk is not None
    assert version.reader.predictions(version.run(feeds, 1)) == [11.0]
    tensors = servable_of(tmp_path / "2", models.multi_output(), files={"features.onnx": transform})
    assert tensors.contract.layout == "tensors"


def test_a_transform_with_several_outputs_feeds_them_by_name(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Identity", ["raw"], ["petal_length"]),
        helper.make_node("Neg", ["raw"], ["petal_width"]),
        helper.make_node("Identity", ["size"], ["sepal"]),
    ]
    text = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n", 1]) for name in ("size", "sepal")]
    transform = graph_of(
        nodes,
        [floats("raw", "n", 1), text[0]],
        [floats("petal_width", "n", 1), floats("petal_length", "n", 1), text[1]],
    )
    version = servable_of(tmp_path, models.columns_classifier(), files={"features.onnx": transform})
    feeds = {"raw": np.array([[6.0]], np.float32), "size": np.array([["long"]], object)}
    direct = servable_of(tmp_path / "2", models.columns_classifier())
    named = {
        "petal_length": feeds["raw"],
        "petal_width": -feeds["raw"],
        "sepal": feeds["size"],
    }
    assert version.reader.predictions(version.run(feeds, 1)) == direct.reader.predictions(direct.run(named, 1))


def refusal(folder: Path, model: bytes, **files: Any) -> str:
    with pytest.raises(VersionRefused) as caught:
        servable_of(folder, model, **files)
    assert (caught.value.model, caught.value.version) == ("m", "1")
    return caught.value.why


def test_a_transform_that_does_not_give_what_the_model_takes_is_refused(tmp_path: Path) -> None:
    transform = models.elementwise("Identity")
    why = refusal(tmp_path, models.columns_classifier(), files={"features.onnx": transform})
    assert why == "features.onnx gives ['y'], model.onnx takes ['petal_length', 'petal_width', 'sepal']"


def test_a_model_that_always_fails_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["i"], ["k"], to=TensorProto.INT64),
        helper.make_node("Gather", ["t", "k"], ["y"]),
    ]
    model = graph_of(nodes, [floats("x", "n", 1)], [floats("y", 1)], i=np.float32(9), t=np.ones(2, np.float32))
    assert "it fails on synthetic rows" in refusal(tmp_path, model)


def test_bytes_that_the_runtime_does_not_take_are_refused(tmp_path: Path) -> None:
    bad = graph_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [floats("x", "n", 3)],
        [floats("y", "n", 1)],
        w=np.ones((7, 1), np.float32),
    )
    assert refusal(tmp_path, bad)


def test_a_reference_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    def hints_of(_reference: bytes) -> Mapping[str, Hint]:
        raise ValueError("no profile")

    with pytest.raises(VersionRefused, match=r"reference.json: no profile"):
        load_version(bundle_of(tmp_path, models.regressor()), hints_of=hints_of)


def test_a_reference_travels_with_the_version(tmp_path: Path) -> None:
    version = servable_of(tmp_path, models.regressor(), files={"reference.json": "{}"})
    assert version.info.reference == b"{}"
    assert version.info.digest == version.digest
    assert [f.name for f in version.info.features] == [f"x{j}" for j in range(10)]


def test_the_manifest_limits_the_batch(tmp_path: Path) -> None:
    assert servable_of(tmp_path, models.regressor(), manifest="serving: {max_batch_rows: 7}").max_batch_rows == 7


def test_a_manifest_that_says_nought_leaves_the_batch_to_what_is_measured_whatever_the_settings_say(
    tmp_path: Path,
) -> None:
    serving, manifest = ServingSettings(max_batch_rows=300, on_loop_ms=0.0), "serving: {max_batch_rows: 0}"
    assert servable_of(tmp_path, models.regressor(), manifest=manifest, serving=serving).max_batch_rows == 128


def test_the_settings_limit_the_batch(tmp_path: Path) -> None:
    serving = ServingSettings(max_batch_rows=300)
    assert servable_of(tmp_path, models.regressor(), serving=serving).max_batch_rows == 300


@pytest.mark.parametrize(("on_loop_ms", "most"), [(0.0, 128), (1000.0, 1024)])
def test_large_batches_are_those_that_fit_the_loop(tmp_path: Path, on_loop_ms: float, most: int) -> None:
    version = servable_of(tmp_path, models.regressor(), serving=ServingSettings(on_loop_ms=on_loop_ms))
    assert version.max_batch_rows == most


def test_nothing_runs_on_the_loop_where_no_time_is_allowed(tmp_path: Path) -> None:
    assert servable_of(tmp_path, models.regressor(), serving=ServingSettings(on_loop_ms=0.0)).inline_rows == 0


def test_the_curve_of_a_small_model_reaches_the_largest_batch(tmp_path: Path) -> None:
    version = servable_of(tmp_path, models.matrix_classifier(), manifest="serving: {max_batch_rows: 100}")
    assert [rows for rows, _ in version.curve.points] == [1, 2, 4, 8, 16, 32, 64, 100]
    assert version.curve.best_rows > 8
    assert version.cost == version.curve.cost


def test_a_version_that_answers_one_by_one_is_timed_with_one_row(tmp_path: Path) -> None:
    version = servable_of(tmp_path, total_of_all())
    assert [rows for rows, _ in version.curve.points] == [1]
    assert (version.max_batch_rows, version.inline_rows) == (None, 1)


def table_of(rows: int) -> bytes:
    """Add row i of a table to row i of the input, so that more rows than the table has fail."""
    nodes = [
        helper.make_node("Shape", ["x"], ["n"], start=0, end=1),
        helper.make_node("Range", ["zero", "n0", "one"], ["which"]),
        helper.make_node("Squeeze", ["n"], ["n0"]),
        helper.make_node("Gather", ["table", "which"], ["added"], axis=0),
        helper.make_node("Add", ["x", "added"], ["y"]),
    ]
    constants = {"zero": np.int64(0), "one": np.int64(1), "table": np.ones((rows, 2), np.float32)}
    return graph_of(
        [nodes[0], nodes[2], nodes[1], *nodes[3:]], [floats("x", "n", 2)], [floats("y", "n", 2)], **constants
    )


def test_batches_that_fail_at_load_are_not_made(tmp_path: Path) -> None:
    version = servable_of(tmp_path, table_of(20))
    assert version.max_batch_rows == 16
    assert version.curve.failed_rows == 32


def test_rows_of_the_warm_up_differ_where_the_graph_takes_that(tmp_path: Path) -> None:
    """Gather fails on what is no row of its table, as on most rows that differ; Identity takes anything."""
    assert servable_of(tmp_path / "1", models.failing_model(), serving=UP_TO_128).curve.most_rows == 128
    assert servable_of(tmp_path / "2", models.columns_classifier(), serving=UP_TO_128).curve.most_rows == 128


def test_an_output_that_loses_rows_under_load_is_a_failure(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Compress", ["x", "keep"], ["y"], axis=0),
    ]
    keep = helper.make_node("Squeeze", ["positive", "axes"], ["keep"])
    positive = helper.make_node("GreaterOrEqual", ["x", "zero"], ["positive"])
    model = graph_of(
        [positive, keep, *nodes], [floats("x", "n", 1)], [floats("y", "n", 1)], zero=np.float32(0), axes=np.array([1])
    )
    version = servable_of(tmp_path, model, serving=UP_TO_128)
    assert version.max_batch_rows == 128
    with pytest.raises(RunFailed, match=r"outputs have \[1\] rows, the input has 2"):
        version.run({"x": np.array([[1.0], [-1.0]], np.float32)}, 2)


GOLDEN = "evaluation: {golden_set: {path: golden.json, tolerance: 0.001}}"


def golden(folder: Path, model: bytes, document: Any, serving: ServingSettings = EAGER) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return servable_of(folder, model, manifest=GOLDEN, serving=serving, files={"golden.json": text})


def test_a_version_that_agrees_with_its_golden_rows_loads(tmp_path: Path) -> None:
    rows = {"instances": [{"x": 0}, {"x": 2}], "predictions": [10, 30.0004]}
    assert golden(tmp_path, models.failing_model(), rows).version == "1"


def test_golden_lists_are_compared_within_the_tolerance(tmp_path: Path) -> None:
    rows = {"instances": [[0.1, 0.2]], "predictions": [[0.1, 0.2]]}
    assert golden(tmp_path, models.elementwise("Identity", 2), rows).version == "1"


def test_golden_probabilities_are_compared_within_the_tolerance(tmp_path: Path) -> None:
    instances = [[5.0, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5]]
    session = OnnxSession(models.zipmap_classifier())
    labels, maps = session.run({"X": np.array(instances, np.float32)})
    rows = {
        "instances": instances,
        "predictions": labels.tolist(),
        "probabilities": [[float(row[c]) for c in (0, 1, 2)] for row in maps],
    }
    assert golden(tmp_path / "1", models.zipmap_classifier(), rows).version == "1"
    rows["probabilities"][1][0] += 0.1
    with pytest.raises(VersionRefused, match=r"golden row 1 is off by 0.1 in its probabilities, tolerance 0.001"):
        golden(tmp_path / "2", models.zipmap_classifier(), rows)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"instances": [{"x": 1}], "predictions": [21]}, "golden row 0 expects 21, the model answers 20.0"),
        ({"instances": [{"x": 1}], "predictions": ["20"]}, "golden row 0 expects '20', the model answers 20.0"),
        ({"instances": [{"x": 1}], "predictions": [20, 30]}, "2 golden predictions for 1 rows"),
        ({"instances": [{"x": 1}], "predictions": [20], "probabilities": [[1], [2]]}, "have another shape"),
        ({"instances": [{"x": 1}], "predictions": [20], "probabilities": [[1, 0]]}, "have another shape"),
        ({"instances": [{"x": "1"}], "predictions": [20]}, "/instances/0/x"),
        ({"instances": [], "predictions": []}, "golden rows cannot be read"),
        ({"instances": [{"x": 1}]}, "/predictions"),
        ({"instances": [{"x": 7}], "predictions": [20]}, "idx=7"),
        ("{", "golden rows cannot be read"),
    ],
)
def test_a_version_that_does_not_give_its_golden_answers_is_refused(tmp_path: Path, document: Any, why: str) -> None:
    with pytest.raises(VersionRefused) as caught:
        golden(tmp_path, models.failing_model(), document)
    assert why in caught.value.why


def test_golden_rows_serve_where_synthetic_ones_would_fail(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["k"], to=TensorProto.INT64),
        helper.make_node("Gather", ["t", "k"], ["y"]),
    ]
    table = np.array([1, 2], np.float32)
    off = helper.make_node("Sub", ["raw", "ten"], ["x"])
    model = graph_of([off, *nodes], [floats("raw", "n", 1)], [floats("y", "n", 1)], t=table, ten=np.float32(10))
    assert "it fails on synthetic rows" in refusal(tmp_path / "1", model)
    rows = {"instances": [{"raw": 10}, {"raw": 11}], "predictions": [1, 2]}
    assert golden(tmp_path / "2", model, rows, UP_TO_128).max_batch_rows == 128


def test_a_model_that_never_answers_is_refused_at_the_deadline(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, models.endless_model())
    with pytest.raises(VersionRefused, match=r"not ready within 0\.2 s"):
        load_version(bundle, serving=ServingSettings(load_s=0.2))


def test_a_tensor_model_of_fixed_batch_size_is_fed_in_pieces(tmp_path: Path) -> None:
    node = helper.make_node("GlobalAveragePool", ["image"], ["mean"])
    version = servable_of(tmp_path, graph_of([node], [floats("image", 2, 3, 4, 4)], [floats("mean", 2, 3, 1, 1)]))
    images = np.random.default_rng(1).random((5, 3, 4, 4), np.float32)
    (mean,) = version.run({"image": images}, 5).raw
    np.testing.assert_allclose(mean, images.mean(axis=(2, 3), keepdims=True), rtol=1e-5)


def test_a_matrix_too_wide_to_be_features_is_refused(tmp_path: Path) -> None:
    wide = graph_of([helper.make_node("ReduceSum", ["x"], ["y"])], [floats("x", "n", 2**31 - 1)], [floats("y")])
    with pytest.raises(VersionRefused, match="at most 65536"):
        load_version(bundle_of(tmp_path, wide))
