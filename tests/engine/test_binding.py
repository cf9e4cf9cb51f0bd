"""From graph and manifest to a contract: the documented defaults, what a manifest may change, and what is refused."""

from pathlib import Path

import pytest
from onnx import TensorProto

from gateway.contract import Contract, OutputBinding
from gateway.engine.binding import Hint
from gateway.engine.loading import load_version
from gateway.errors import VersionRefused
from tests import models
from tests.serving import bundle_of, servable_of


def contract_of(folder: Path, model: bytes, manifest: str = "") -> Contract:
    return servable_of(folder, model, manifest=manifest).contract


def refusal(folder: Path, model: bytes, manifest: str) -> str:
    with pytest.raises(VersionRefused) as caught:
        servable_of(folder, model, manifest=manifest)
    return caught.value.why


def test_a_matrix_has_numbered_columns_by_default(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, models.matrix_classifier())
    assert (contract.layout, contract.input_name) == ("matrix", "X")
    assert [f.name for f in contract.features] == [f"x{j}" for j in range(30)]
    assert {(f.dtype, f.missing, f.out_of_range, f.unseen) for f in contract.features} == {
        ("float32", "reject", "flag", "flag")
    }
    assert contract.outputs == OutputBinding("label", "probabilities", classes=(0, 1), answered=(0, 1))


def test_a_table_has_the_names_and_dtypes_of_its_inputs_by_default(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, models.columns_classifier())
    assert contract.layout == "columns"
    assert [(f.name, f.dtype) for f in contract.features] == [
        ("petal_length", "float32"),
        ("petal_width", "float32"),
        ("sepal", "string"),
    ]
    species = ("setosa", "versicolor", "virginica")
    assert contract.outputs == OutputBinding("label", "probabilities", classes=species, answered=species)


def test_a_zipmap_is_the_probabilities_with_its_own_classes(tmp_path: Path) -> None:
    version = servable_of(tmp_path, models.zipmap_classifier())
    assert version.contract.outputs == OutputBinding(
        "output_label", "output_probability", zipmap=True, classes=(0, 1, 2), answered=(0, 1, 2)
    )
    assert version.outputs["output_probability"].shape == (-1, 3)


def test_a_float_of_one_value_a_row_is_the_value(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, models.regressor())
    assert contract.outputs == OutputBinding(value="variable")
    assert contract.output_schema.kind == "regression"


def test_the_first_of_several_values_is_the_value(tmp_path: Path) -> None:
    assert contract_of(tmp_path, models.multi_output()).outputs == OutputBinding(value="total")


def test_several_numbers_a_row_are_no_value(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, models.elementwise("Identity", 2))
    assert contract.outputs == OutputBinding()
    assert contract.output_schema.kind == "tensor"


def test_an_image_is_served_as_tensors(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, models.image_model())
    assert (contract.layout, contract.features, contract.outputs) == ("tensors", (), OutputBinding())


def test_a_single_column_is_a_feature_named_as_its_input_or_a_matrix_of_one(tmp_path: Path) -> None:
    plain = contract_of(tmp_path / "1", models.elementwise("Identity"))
    assert (plain.layout, [f.name for f in plain.features]) == ("columns", ["x"])
    same = contract_of(
        tmp_path / "2", models.elementwise("Identity"), "interface: {features: [{name: x, range: {max: 1}}]}"
    )
    assert (same.layout, same.features[0].maximum) == ("columns", 1.0)
    other = contract_of(tmp_path / "3", models.elementwise("Identity"), "interface: {features: [{name: age}]}")
    assert (other.layout, other.input_name, [f.name for f in other.features]) == ("matrix", "x", ["age"])


@pytest.mark.parametrize(
    ("element_type", "dtype"),
    [(TensorProto.INT64, "int64"), (TensorProto.DOUBLE, "float64"), (TensorProto.BOOL, "bool")],
)
@pytest.mark.parametrize("manifest", ["", "interface: {features: [{name: a}, {name: b}]}"], ids=["bare", "named"])
def test_a_feature_without_a_dtype_has_that_of_its_graph(
    tmp_path: Path, element_type: int, dtype: str, manifest: str
) -> None:
    contract = contract_of(tmp_path, models.elementwise("Identity", 2, element_type), manifest)
    assert [f.dtype for f in contract.features] == [dtype, dtype]


def test_a_matrix_may_have_integers_and_booleans_among_its_columns(tmp_path: Path) -> None:
    manifest = "interface: {features: [{name: a, dtype: int16}, {name: b, dtype: bool}]}"
    assert [f.dtype for f in contract_of(tmp_path, models.elementwise("Identity", 2), manifest).features] == [
        "int16",
        "bool",
    ]


def test_the_manifest_names_columns_and_rules(tmp_path: Path) -> None:
    manifest = """
interface:
  unknown_features: ignore
  features:
    - {name: a, range: {min: 0, max: 1}, out_of_range: reject, nullable: true}
    - {name: b, categories: [1, 2], unseen: impute, fill: 1}
    - {name: c, missing: impute, fill: 0.5}
"""
    contract = contract_of(tmp_path, models.multi_output(), manifest)
    a, b, c = contract.features
    assert contract.unknown_features == "ignore"
    assert (a.minimum, a.maximum, a.out_of_range, a.nullable, a.missing) == (0, 1, "reject", True, "flag")
    assert (b.categories, b.unseen, b.fill) == ((1, 2), "impute", 1)
    assert (c.missing, c.fill) == ("impute", 0.5)


def test_classes_of_the_manifest_rename_those_of_the_graph(tmp_path: Path) -> None:
    version = servable_of(tmp_path, models.matrix_classifier(), manifest="interface: {classes: [malignant, benign]}")
    outputs = version.contract.outputs
    assert (outputs.classes, outputs.answered) == (("malignant", "benign"), (0, 1))


def test_the_manifest_may_say_what_an_output_is(tmp_path: Path) -> None:
    manifest = "interface: {outputs: [{name: total, semantic: other}, {name: largest, semantic: value}]}"
    assert contract_of(tmp_path, models.multi_output(), manifest).outputs == OutputBinding(value="largest")


def test_one_column_may_be_the_probability_of_the_second_class(tmp_path: Path) -> None:
    manifest = "interface: {classes: [good, bad], outputs: [{name: y, semantic: probabilities}]}"
    outputs = contract_of(tmp_path, models.elementwise("Sigmoid"), manifest).outputs
    assert outputs == OutputBinding(None, "y", classes=("good", "bad"), answered=(0, 1))


def test_hints_fill_what_the_manifest_leaves_open(tmp_path: Path) -> None:
    manifest = """
interface:
  features:
    - {name: petal_length, missing: impute}
    - {name: petal_width, missing: impute, fill: 9}
    - {name: sepal, dtype: string, missing: impute}
"""
    bundle = bundle_of(tmp_path, models.columns_classifier(), manifest=manifest)
    hints = {"petal_length": Hint(4.5), "petal_width": Hint(1.5), "sepal": Hint("long", ("long", "short"))}
    length, width, sepal = load_version(bundle, hints_of=lambda _: hints).contract.features
    assert (length.fill, width.fill, sepal.fill, sepal.categories) == (4.5, 9, "long", ("long", "short"))


def test_a_hint_for_an_integer_is_rounded(tmp_path: Path) -> None:
    manifest = "interface: {features: [{name: a, dtype: int64, missing: impute}, {name: b}]}"
    bundle = bundle_of(tmp_path, models.elementwise("Identity", 2, TensorProto.INT64), manifest=manifest)
    feature = load_version(bundle, hints_of=lambda _: {"a": Hint(2.6)}).contract.features[0]
    assert (feature.fill, type(feature.fill)) == (3, int)


TABLE = models.columns_classifier()
PAIR = models.elementwise("Identity", 2)
WHOLE = models.elementwise("Identity", 2, TensorProto.INT64)


@pytest.mark.parametrize(
    ("model", "manifest", "why"),
    [
        pytest.param(PAIR, "features: [{name: a}]", "input 'x' has 2 columns, interface.features names 1", id="width"),
        pytest.param(
            PAIR,
            "features: [{name: a}, {name: b, dtype: string}]",
            "feature 'b' is string, but input 'x' is float32",
            id="string in a matrix",
        ),
        pytest.param(
            WHOLE,
            "features: [{name: a}, {name: b, dtype: float32}]",
            "feature 'b' is float32, but input 'x' is int64",
            id="fractions in a matrix of integers",
        ),
        pytest.param(
            TABLE,
            "features: [{name: sepal, dtype: string}]",
            "inputs ['petal_length', 'petal_width'] of the graph are not in",
            id="feature lacks",
        ),
        pytest.param(
            TABLE,
            "features: [{name: sepal, dtype: string}, {name: petal_length}, {name: petal_width}, {name: z}]",
            "features ['z'] are not inputs of the graph",
            id="feature too many",
        ),
        pytest.param(
            TABLE,
            "features: [{name: sepal}, {name: petal_length}, {name: petal_width}]",
            "feature 'sepal' is float32, its graph input is string",
            id="number for a string",
        ),
        pytest.param(
            models.image_model(),
            "features: [{name: a}]",
            "need one matrix input or one input a feature",
            id="features of an image",
        ),
        pytest.param(
            WHOLE,
            "features: [{name: a, missing: flag}, {name: b}]",
            "flag passes NaN, which int64 cannot hold",
            id="NaN for an integer",
        ),
        pytest.param(
            TABLE,
            "features: [{name: sepal, dtype: string, missing: flag}, {name: petal_length}, {name: petal_width}]",
            "flag passes NaN, which string cannot hold",
            id="NaN for a string",
        ),
        pytest.param(
            PAIR,
            "features: [{name: a, missing: impute}, {name: b}]",
            "feature 'a' is imputed: set its fill",
            id="no fill",
        ),
        pytest.param(
            PAIR,
            "features: [{name: a, fill: none}, {name: b}]",
            "feature 'a' is float32, its fill is 'none'",
            id="fill of another kind",
        ),
        pytest.param(
            PAIR,
            "outputs: [{name: z, semantic: value}]",
            "interface.outputs names ['z']; the graph has ['y']",
            id="unknown output",
        ),
        pytest.param(PAIR, "outputs: [{name: y, semantic: value}]", "one number a row; it has 2", id="wide value"),
        pytest.param(
            models.matrix_classifier(),
            "classes: [a, b, c]",
            "interface.classes names 3 classes, the graph has 2",
            id="classes",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, model: bytes, manifest: str, why: str) -> None:
    assert why in refusal(tmp_path, model, f"interface: {{{manifest}}}")
