"""What is read from an ONNX file, and which files are not taken."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gateway.engine.graph import GraphInvalid, inspect_graph
from gateway.types import TensorSpec
from tests import models


def model_of(nodes: list[onnx.NodeProto], **parts: list[onnx.FunctionProto]) -> bytes:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [y]), opset_imports=opsets, ir_version=10, **parts)
    return bytes(model.SerializeToString())


def of_free_width() -> bytes:
    model = onnx.load_from_string(models.elementwise("Identity", 3))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "width"
    return bytes(model.SerializeToString())


def external_tensor(location: str | None) -> TensorProto:
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    if location is not None:
        tensor.external_data.add(key="location", value=location)
    return tensor


def test_a_matrix_classifier_tells_inputs_outputs_and_classes() -> None:
    info = inspect_graph(models.matrix_classifier(), source="model.onnx")
    assert info.inputs == (TensorSpec("X", "float32", (-1, 30)),)
    assert info.outputs == (TensorSpec("label", "int64", (-1,)), TensorSpec("probabilities", "float32", (-1, 2)))
    assert info.class_labels == ("0", "1")
    assert info.opsets[""] == models.OPSET
    assert info.producer.startswith("skl2onnx")


def test_a_table_pipeline_has_one_input_a_feature_and_string_classes() -> None:
    info = inspect_graph(models.columns_classifier(), source="model.onnx")
    assert [(spec.name, spec.dtype, spec.shape) for spec in info.inputs] == [
        ("petal_length", "float32", (-1, 1)),
        ("petal_width", "float32", (-1, 1)),
        ("sepal", "string", (-1, 1)),
    ]
    assert info.class_labels == ("setosa", "versicolor", "virginica")


def test_a_zip_map_is_a_map() -> None:
    info = inspect_graph(models.zipmap_classifier(), source="model.onnx")
    assert info.outputs[1] == TensorSpec("output_probability", "map", ())
    assert info.class_labels == ("0", "1", "2")


def test_initializers_listed_as_inputs_are_no_inputs() -> None:
    model = onnx.load_from_string(models.multi_output())
    model.graph.input.append(helper.make_tensor_value_info("axes", TensorProto.INT64, [1]))
    info = inspect_graph(model.SerializeToString(), source="model.onnx")
    assert [spec.name for spec in info.inputs] == ["x"]


def test_classifiers_that_disagree_give_no_class_labels() -> None:
    nodes = [
        helper.make_node("ZipMap", ["a"], ["b"], domain="ai.onnx.ml", classlabels_strings=["no", "yes"]),
        helper.make_node("ZipMap", ["a"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
    ]
    assert inspect_graph(model_of(nodes), source="model.onnx").class_labels == ()


@pytest.mark.parametrize(
    ("model", "is_steady"),
    [
        (models.matrix_classifier(), True),
        (models.zipmap_classifier(), True),
        (models.image_model(), True),
        (models.elementwise("Identity", 3), True),
        (models.columns_classifier(), False),
        (models.slow_model(), False),
        (of_free_width(), False),
    ],
    ids=["matrix", "zip map", "image", "one operator", "texts", "a loop", "a free axis"],
)
def test_a_graph_is_steady_where_no_row_can_cost_more_than_another(model: bytes, is_steady: bool) -> None:
    assert inspect_graph(model, source="model.onnx").is_steady == is_steady


def test_external_files_are_named_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    info = inspect_graph(models.external_data_model("no/such/file.bin"), source="model.onnx")
    assert info.external_files == ("no/such/file.bin",)


def in_constant(tensor: TensorProto) -> bytes:
    return model_of([helper.make_node("Constant", [], ["y"], value=tensor)])


def in_branch(tensor: TensorProto) -> bytes:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    branch = helper.make_graph([helper.make_node("Identity", ["outside"], ["y"])], "branch", [], [y], [tensor])
    return model_of([helper.make_node("If", ["always"], ["y"], then_branch=branch, else_branch=branch)])


def in_sparse_constant(tensor: TensorProto) -> bytes:
    indices = numpy_helper.from_array(np.array([0], np.int64), "indices")
    sparse = helper.make_sparse_tensor(tensor, indices, [1])
    return model_of([helper.make_node("Constant", [], ["y"], sparse_value=sparse)])


def in_function(tensor: TensorProto) -> bytes:
    inside = [helper.make_node("Constant", [], ["out"], value=tensor)]
    function = helper.make_function("local", "f", [], ["out"], inside, [helper.make_opsetid("", 20)])
    return model_of([helper.make_node("f", [], ["y"], domain="local")], functions=[function])


HIDING_PLACES = [in_constant, in_branch, in_sparse_constant, in_function]


@pytest.mark.parametrize("hide", HIDING_PLACES)
def test_external_data_is_found_wherever_it_hides(hide: Callable[[TensorProto], bytes]) -> None:
    assert inspect_graph(hide(external_tensor("hidden.bin")), source="model.onnx").external_files == ("hidden.bin",)


def test_external_data_without_a_file_is_refused() -> None:
    with pytest.raises(GraphInvalid, match="'outside' in external data without naming the file"):
        inspect_graph(in_constant(external_tensor(None)), source="model.onnx")


def test_a_custom_operator_is_refused_by_name() -> None:
    with pytest.raises(GraphInvalid, match=r"model\.onnx uses the operator Anything of domain 'com\.example\.custom'"):
        inspect_graph(models.custom_domain_model(), source="model.onnx")


def test_a_custom_operator_in_a_branch_is_refused() -> None:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    branch = helper.make_graph([helper.make_node("Evil", [], ["y"], domain="evil")], "branch", [], [y])
    node = helper.make_node("If", ["always"], ["y"], then_branch=branch, else_branch=branch)
    with pytest.raises(GraphInvalid, match="Evil"):
        inspect_graph(model_of([node]), source="model.onnx")


def test_a_precompiled_node_is_refused() -> None:
    node = helper.make_node("EPContext", [], ["y"], domain="com.microsoft", ep_cache_context="/etc/passwd")
    with pytest.raises(GraphInvalid, match="EPContext"):
        inspect_graph(model_of([node]), source="model.onnx")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a model at all", id="text"),
        pytest.param(bytes(100), id="zeros"),
        pytest.param(models.regressor()[:150], id="cut off"),
        pytest.param(onnx.ModelProto(ir_version=10).SerializeToString(), id="no graph"),
        pytest.param(onnx.ModelProto(ir_version=10, graph=onnx.GraphProto()).SerializeToString(), id="no output"),
    ],
)
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(GraphInvalid, match=r"model\.onnx"):
        inspect_graph(content, source="model.onnx")
