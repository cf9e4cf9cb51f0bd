"""Raw outputs become labels, probabilities and values."""

import numpy as np
import pytest

from gateway.contract import OutputBinding
from gateway.engine.outputs import OutputReader

NAN = float("nan")
SPECIES = ("setosa", "virginica")


def test_labels_and_probabilities_are_read_by_the_binding() -> None:
    reader = OutputReader(OutputBinding("l", "p", classes=(0, 1), answered=(0, 1)), ["p", "l"])
    outputs = reader.read([np.array([[0.2, 0.8], [0.9, 0.1]], np.float32), np.array([1, 0])])
    assert reader.predictions(outputs) == [1, 0]
    assert reader.label_codes(outputs, 2).tolist() == [1, 0]
    assert outputs.is_finite


def test_labels_are_renamed_where_the_manifest_names_classes() -> None:
    reader = OutputReader(OutputBinding("l", None, classes=SPECIES, answered=(3, 5)), ["l"])
    outputs = reader.read([np.array([[5], [3], [4]])])
    assert reader.predictions(outputs) == ["virginica", "setosa", 4]
    codes = reader.label_codes(outputs, 3)
    assert (codes.dtype.name, codes.tolist()) == ("int32", [1, 0, -1])


def test_without_labels_the_highest_probability_decides() -> None:
    reader = OutputReader(OutputBinding(None, "p", classes=SPECIES, answered=(0, 1)), ["p"])
    outputs = reader.read([np.array([[0.2, 0.8], [0.9, 0.1]])])
    assert reader.predictions(outputs) == ["virginica", "setosa"]
    assert reader.label_codes(outputs, 2).tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_one_column_of_two_classes_is_the_probability_of_the_second(shape: tuple[int, ...]) -> None:
    reader = OutputReader(OutputBinding(None, "p", classes=SPECIES, answered=(0, 1)), ["p"])
    outputs = reader.read([np.array([0.25, 0.75]).reshape(shape)])
    assert outputs.scores_nk is not None
    assert outputs.scores_nk.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert reader.predictions(outputs) == ["setosa", "virginica"]


def test_a_zipmap_becomes_a_matrix_in_the_order_of_the_classes() -> None:
    binding = OutputBinding("l", "p", zipmap=True, classes=("A", "B"), answered=("a", "b"))
    outputs = OutputReader(binding, ["l", "p"]).read([np.array(["b"], object), [{"b": 0.75, "a": 0.25}]])
    assert outputs.raw[1].tolist() == [[0.25, 0.75]]
    assert outputs.scores_nk is not None
    assert outputs.scores_nk.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_a_value_is_one_number_a_row(shape: tuple[int, ...]) -> None:
    reader = OutputReader(OutputBinding(value="y"), ["y"])
    outputs = reader.read([np.array([1.5, 2.5]).reshape(shape)])
    assert reader.predictions(outputs) == [1.5, 2.5]
    assert reader.label_codes(outputs, 2).tolist() == [-1, -1]


def test_what_has_no_role_is_answered_as_it_is() -> None:
    reader = OutputReader(OutputBinding(), ["y", "z"])
    outputs = reader.read([np.ones((2, 1, 2)), np.ones(2)])
    assert reader.predictions(outputs) == [[[1.0, 1.0]], [[1.0, 1.0]]]
    assert outputs.is_finite


def test_slices_know_their_own_broken_rows() -> None:
    reader = OutputReader(OutputBinding(value="y"), ["y"])
    outputs = reader.read([np.array([1.0, NAN, 3.0, float("inf")])])
    assert not outputs.is_finite
    assert outputs.broken_n(4).tolist() == [False, True, False, True]
    first, second = outputs.rows(slice(0, 1)), outputs.rows(slice(1, 3))
    assert (first.is_finite, second.is_finite) == (True, False)
    assert (first.broken_n(1).tolist(), second.broken_n(2).tolist()) == ([False], [True, False])
    assert second.raw[0].base is not None


def test_labels_travel_with_their_slice() -> None:
    reader = OutputReader(OutputBinding("l", None, classes=(7, 8), answered=(7, 8)), ["l"])
    outputs = reader.read([np.array([7, 8, 8])]).rows(slice(1, 3))
    assert reader.predictions(outputs) == [8, 8]
