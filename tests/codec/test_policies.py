"""Missing, out-of-range and unseen values under each policy: what is fed, what is told, what is counted."""

from typing import Any

import numpy as np
import pytest

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.rows import encode_table
from gateway.contract import Contract, Feature, OutputBinding
from gateway.errors import InputRejected
from monitors.records import IMPUTED_FLAG, OUT_OF_RANGE_FLAG, UNSEEN_CODE, UNSEEN_FLAG
from tests.codec.contracts import Codec, body, infer, tensor

LAYOUTS = ("matrix", "columns")


def number(**rules: Any) -> Feature:
    return Feature("x", "float32", **rules)


def decode(layout: Any, feature: Feature, *values: Any) -> Decoded:
    codec = Codec(feature, Feature("y", "float32"), layout=layout)
    return codec.plain.decode(body([[value, 7.0] for value in values]))


def fed(decoded: Decoded) -> list[Any]:
    """Return what reaches the graph as feature x."""
    return list(decoded.feeds["x"].ravel() if "x" in decoded.feeds else decoded.feeds["X"][:, 0])


def raw(decoded: Decoded) -> list[float]:
    """Return what the monitors see of feature x."""
    assert decoded.values_nd is not None
    return [float(value) for value in decoded.values_nd[:, 0]]


def flags(decoded: Decoded) -> list[int]:
    return [0] * decoded.n if decoded.flags_n is None else [int(flag) for flag in decoded.flags_n]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_good_values_leave_no_trace(layout: str) -> None:
    feature = number(minimum=0, maximum=9, missing="impute", fill=5.0, categories=(1.0, 2.0))
    decoded = decode(layout, feature, 1.0, 2.0)
    assert (fed(decoded), raw(decoded), flags(decoded), decoded.faults) == ([1, 2], [1, 2], [0, 0], ())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_value_is_imputed_for_the_graph_and_stays_missing_for_the_monitors(layout: str) -> None:
    decoded = decode(layout, number(missing="impute", fill=5.0), 1.0, None, 3.0)
    assert fed(decoded) == [1, 5, 3]
    np.testing.assert_array_equal(raw(decoded), [1, np.nan, 3])
    assert (flags(decoded), decoded.faults) == ([0, IMPUTED_FLAG, 0], ((0, "missing", 1),))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_flagged_missing_value_reaches_the_graph_as_nan(layout: str) -> None:
    decoded = decode(layout, number(missing="flag"), None, 3.0, None)
    np.testing.assert_array_equal(fed(decoded), [np.nan, 3, np.nan])
    np.testing.assert_array_equal(raw(decoded), [np.nan, 3, np.nan])
    assert (flags(decoded), decoded.faults) == ([0, 0, 0], ((0, "missing", 2),))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("policy", ["flag", "impute"])
def test_a_missing_value_of_a_nullable_feature_is_no_fault(layout: str, policy: Any) -> None:
    decoded = decode(layout, number(missing=policy, fill=5.0, nullable=True), None, 3.0)
    assert decoded.faults == ()
    assert flags(decoded) == ([IMPUTED_FLAG, 0] if policy == "impute" else [0, 0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_value_outside_the_range_is_flagged_and_fed_as_it_is(layout: str) -> None:
    decoded = decode(layout, number(minimum=0.0, maximum=1.0), -1.0, 0.0, 1.0, 2.0)
    assert (fed(decoded), raw(decoded)) == ([-1, 0, 1, 2], [-1, 0, 1, 2])
    assert flags(decoded) == [OUT_OF_RANGE_FLAG, 0, 0, OUT_OF_RANGE_FLAG]
    assert decoded.faults == ((0, "out_of_range", 2),)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_value_outside_the_range_may_be_imputed(layout: str) -> None:
    decoded = decode(layout, number(maximum=1.0, out_of_range="impute", fill=0.5), 3.0, 1.0)
    assert (fed(decoded), raw(decoded)) == ([0.5, 1], [3, 1])
    assert flags(decoded) == [OUT_OF_RANGE_FLAG | IMPUTED_FLAG, 0]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        ({"minimum": 0.0, "maximum": 1.0}, 2.0, "0.0 to 1.0"),
        ({"minimum": 0.0}, -2.0, "at least 0.0"),
        ({"maximum": 1.0}, 2.0, "at most 1.0"),
    ],
)
def test_a_value_outside_the_range_may_be_rejected(
    layout: str, bounds: dict[str, float], value: float, expected: str
) -> None:
    with pytest.raises(InputRejected) as caught:
        decode(layout, number(**bounds, out_of_range="reject"), 0.5, value)
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.kind, fault.expected, fault.found) == (
        "/instances/1/0",
        "out_of_range",
        expected,
        str(value),
    )
    assert caught.value.counts == {("x", "out_of_range"): 1}


@pytest.mark.parametrize("protocol", ["plain", "v2"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_ends_of_a_range_are_inside_it_in_the_precision_of_the_graph(layout: Any, protocol: str) -> None:
    codec = Codec(number(minimum=0.1, maximum=0.7, categories=(0.1, 0.7), unseen="reject"), layout=layout)
    name = "X" if layout == "matrix" else "x"
    request = body([[0.1], [0.7]]) if protocol == "plain" else infer(tensor(name, "FP32", [2, 1], [0.1, 0.7]))
    decoded = (codec.plain if protocol == "plain" else codec.v2).decode(request)
    assert (flags(decoded), decoded.faults) == ([0, 0], ())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("policy", "given"), [("flag", 3.0), ("impute", 1.0)])
def test_a_number_that_is_not_listed_is_unseen(layout: str, policy: Any, given: float) -> None:
    decoded = decode(layout, number(categories=(1.0, 2.0), unseen=policy, fill=1.0), 2.0, 3.0)
    assert (fed(decoded), raw(decoded)) == ([2, given], [2, 3])
    assert flags(decoded) == [0, UNSEEN_FLAG | (IMPUTED_FLAG if policy == "impute" else 0)]
    assert decoded.faults == ((0, "unseen", 1),)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_value_is_not_unseen_and_not_out_of_range(layout: str) -> None:
    feature = number(categories=(1.0,), minimum=0.0, missing="flag", unseen="reject", out_of_range="reject")
    assert decode(layout, feature, None).faults == ((0, "missing", 1),)


def category(**rules: Any) -> Feature:
    return Feature("x", "string", categories=("s", "m", "l"), **rules)


def test_an_unseen_category_is_flagged_and_fed_as_it_is() -> None:
    decoded = decode("columns", category(), "l", "xxl")
    assert (fed(decoded), raw(decoded)) == (["l", "xxl"], [2, UNSEEN_CODE])
    assert (flags(decoded), decoded.faults) == ([0, UNSEEN_FLAG], ((0, "unseen", 1),))


def test_an_unseen_or_missing_category_may_be_imputed() -> None:
    decoded = decode("columns", category(unseen="impute", missing="impute", fill="m"), "xxl", None, "s")
    assert fed(decoded) == ["m", "m", "s"]
    np.testing.assert_array_equal(raw(decoded), [UNSEEN_CODE, np.nan, 0])
    assert flags(decoded) == [UNSEEN_FLAG | IMPUTED_FLAG, IMPUTED_FLAG, 0]
    assert decoded.faults == ((0, "missing", 1), (0, "unseen", 1))


def test_an_unseen_category_may_be_rejected_naming_some_that_are_known() -> None:
    feature = Feature("x", "string", categories=tuple("abcdefghij"), unseen="reject")
    with pytest.raises(InputRejected) as caught:
        decode("columns", feature, "a", "z")
    (fault,) = caught.value.faults
    assert fault.expected == "one of 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', ..."
    assert (fault.pointer, fault.found) == ("/instances/1/0", "'z'")


def test_free_text_without_categories_shows_only_what_is_missing() -> None:
    decoded = decode("columns", Feature("x", "string", missing="impute", fill="-"), "a", None, "b")
    np.testing.assert_array_equal(raw(decoded), [0, np.nan, 0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_missing_integer_is_imputed_as_an_integer(layout: Any) -> None:
    codec = Codec(Feature("k", "int64", missing="impute", fill=4), Feature("j", "int64"), layout=layout, dtype="int64")
    decoded = codec.plain.decode(body([[None, 1], [3, 2]]))
    feed = decoded.feeds["X"][:, 0] if layout == "matrix" else decoded.feeds["k"].ravel()
    assert (feed.dtype.name, feed.tolist()) == ("int64", [4, 3])
    assert decoded.values_nd is not None
    np.testing.assert_array_equal(decoded.values_nd[:, 0], [np.nan, 3])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_faults_of_several_features_are_counted_apart_and_flags_add_up(layout: Any) -> None:
    codec = Codec(number(maximum=1.0), Feature("y", "float32", missing="impute", fill=0.0), layout=layout)
    decoded = codec.plain.decode(body([[2, None], [2, 1], [1, None]]))
    assert sorted(decoded.faults) == [(0, "out_of_range", 2), (1, "missing", 2)]
    assert flags(decoded) == [OUT_OF_RANGE_FLAG | IMPUTED_FLAG, OUT_OF_RANGE_FLAG, IMPUTED_FLAG]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tensors_that_break_a_reject_policy_are_named_value_by_value(layout: Any) -> None:
    codec = Codec(
        number(maximum=1.0, out_of_range="reject"),
        Feature("y", "float32", minimum=0, out_of_range="reject"),
        layout=layout,
    )
    if layout == "matrix":
        request = infer(tensor("X", "FP32", [3, 2], [[0, 0], [2, 0], [2, -1]]))
        pointers = ["/inputs/0/data/2", "/inputs/0/data/4", "/inputs/0/data/5"]
    else:
        request = infer(tensor("y", "FP32", [3, 1], [0, 0, -1]), tensor("x", "FP32", [3, 1], [0, 2, 2]))
        pointers = ["/inputs/1/data/1", "/inputs/1/data/2", "/inputs/0/data/2"]
    with pytest.raises(InputRejected) as caught:
        codec.v2.decode(request)
    assert [fault.pointer for fault in caught.value.faults] == pointers
    assert caught.value.counts == {("x", "out_of_range"): 2, ("y", "out_of_range"): 1}
    assert (caught.value.total, caught.value.rows) == (3, 3)


def test_a_table_is_held_to_the_contract_without_a_decoder_before_it() -> None:
    contract = Contract("matrix", (number(), Feature("y", "float32", missing="flag")), OutputBinding(), "X")
    decoded = encode_table(contract, [{"x": 1.0, "y": None}, {"x": 2.0}], ranks={})
    np.testing.assert_array_equal(decoded.feeds["X"], [[1, np.nan], [2, np.nan]])
    with pytest.raises(RowsRefused, match="x is missing"):
        encode_table(contract, [{"y": 1.0}], ranks={})
    every = Contract("matrix", (number(),), OutputBinding(), "X")
    with pytest.raises(RowsRefused, match="x is missing"):
        encode_table(every, [{"x": None}], ranks={})
