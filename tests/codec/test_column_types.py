"""Integers in a matrix of floats: tensors are held to each feature's own type, as JSON rows are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.column_types import ColumnTypes
from gateway.codec.decoded import RowsRefused
from gateway.contract import Contract, Feature, OutputBinding
from gateway.errors import InputRejected
from tests.codec.contracts import Codec, body, infer, tensor

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def types_of(own: Any, dtype: str) -> ColumnTypes:
    return ColumnTypes(Contract("matrix", (Feature("w", "float32"), Feature("k", own)), OutputBinding(), "X"), dtype)


def fits(own: str, dtype: str, value: float) -> bool:
    try:
        types_of(own, dtype).check(np.array([[0.5 if dtype.startswith("float") else 1, value]], dtype))
    except RowsRefused:
        return False
    return True


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(INTEGERS), st.floats(width=64) | st.integers(-(2**65), 2**65).map(float))
def test_a_double_fits_where_it_is_a_whole_number_of_the_type(own: str, value: float) -> None:
    facts = np.iinfo(own)
    expected = np.isnan(value) or (value.is_integer() and int(facts.min) <= int(value) <= int(facts.max))
    assert fits(own, "float64", value) == expected


@pytest.mark.parametrize("own", INTEGERS)
def test_the_ends_of_a_type_fit_and_what_is_beyond_them_does_not(own: str) -> None:
    low, beyond = float(np.iinfo(own).min), float(int(np.iinfo(own).max) + 1)
    assert (fits(own, "float32", low), fits(own, "float32", beyond)) == (True, False)
    assert fits(own, "float32", float(np.nextafter(np.float32(beyond), np.float32(0)))) == ("64" in own or "32" in own)
    assert not fits(own, "float32", float(np.nextafter(np.float32(low), np.float32(-np.inf))))


@pytest.mark.parametrize(("own", "good", "bad"), [("int8", -128, 128), ("uint32", 2**32 - 1, 2**32), ("bool", 1, 2)])
def test_a_matrix_of_wider_integers_is_held_to_narrower_ones(own: str, good: int, bad: int) -> None:
    assert (fits(own, "int64", good), fits(own, "int64", bad), fits(own, "int64", -(2**63))) == (True, False, False)


def test_the_largest_integer_of_the_matrix_is_no_rounding_victim() -> None:
    assert fits("int64", "uint64", 2**63 - 1)
    assert not fits("int64", "uint64", 2**63)


def test_the_first_feature_at_fault_is_named_with_its_rows() -> None:
    with pytest.raises(RowsRefused) as caught:
        types_of("int8", "float32").check(np.array([[0.5, 1.5], [0.5, 1.0], [0.5, 999.0]], np.float32))
    assert (caught.value.feature, caught.value.kind, caught.value.rows) == ("k", "wrong_type", 2)


def test_missing_values_and_other_columns_are_not_looked_at() -> None:
    types_of("int8", "float32").check(np.array([[0.5, np.nan], [1e30, 3.0]], np.float32))
    types_of("float32", "float32").check(np.array([[0.5, 1e30]], np.float32))


CODEC = Codec(Feature("k", "int8", missing="flag"), Feature("yes", "bool"), Feature("w", "float32"))


def test_tensors_are_refused_as_json_rows_are() -> None:
    rows = [[1.0, 0.0, 0.5], [1.5, 1.0, 0.5], [200.0, 2.0, 0.5]]
    with pytest.raises(InputRejected) as caught:
        CODEC.v2.decode(infer(tensor("X", "FP32", [3, 3], [value for row in rows for value in row])))
    told = [(fault.pointer, fault.kind, fault.expected, fault.found) for fault in caught.value.faults]
    assert told == [
        ("/inputs/0/data/3", "wrong_type", "an integer (int8)", "1.5"),
        ("/inputs/0/data/6", "wrong_type", "an integer (int8)", "200"),
        ("/inputs/0/data/7", "wrong_type", "true or false", "2"),
    ]
    with pytest.raises(InputRejected) as plain:
        CODEC.plain.decode(body([[1, False, 0.5], [1.5, True, 0.5], [200, 2, 0.5]]))
    assert plain.value.counts == caught.value.counts


def test_a_fault_of_another_feature_blames_no_whole_number() -> None:
    codec = Codec(Feature("k", "int8"), Feature("w", "float32", maximum=1.0, out_of_range="reject"))
    with pytest.raises(InputRejected) as caught:
        codec.v2.decode(infer(tensor("X", "FP32", [1, 2], [3.0, 7.0])))
    assert caught.value.counts == {("w", "out_of_range"): 1}


def test_whole_numbers_of_a_tensor_reach_the_graph_as_they_came() -> None:
    decoded = CODEC.v2.decode(infer(tensor("X", "FP32", [1, 3], [-128.0, 1.0, 0.25])))
    assert decoded.feeds["X"].tolist() == [[-128.0, 1.0, 0.25]]
