"""The plain protocol: rows in, and every way in which a body can be wrong."""

import json
from math import isfinite
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codec.plain import PlainWriter, peek_model, rows_of
from gateway.contract import Feature
from gateway.errors import BodyMalformed, BodyTooLarge, InputRejected, RequestInvalid
from gateway.rules import Range, Rule
from gateway.settings import LimitSettings
from gateway.types import TensorSpec
from tests.codec.contracts import Codec, TensorCodec, body

MATRIX = Codec(Feature("age", "float32"), Feature("n", "int64"), Feature("a/b~c", "float32"))
COLUMNS = Codec(Feature("size", "string"), Feature("w", "float32"), Feature("ok", "bool"), layout="columns")
GOOD = {"age": 1.5, "n": 2, "a/b~c": 3}


def rejection(codec: Codec, raw: bytes) -> InputRejected:
    with pytest.raises(InputRejected) as caught:
        codec.plain.decode(raw)
    assert (caught.value.model, caught.value.version) == ("m", "1")
    return caught.value


def malformed(codec: Codec | TensorCodec, raw: bytes) -> BodyMalformed:
    with pytest.raises(BodyMalformed) as caught:
        codec.plain.decode(raw)
    return caught.value


def told(error: RequestInvalid) -> list[tuple[str, str, str]]:
    return [(fault.pointer, fault.kind, fault.found) for fault in getattr(error, "faults", ())]


def test_rows_may_be_objects_or_lists_in_the_order_of_the_contract() -> None:
    decoded = MATRIX.plain.decode(body([GOOD, [4, 5, 6], {"a/b~c": 9, "n": 8, "age": 7}]))
    assert decoded.n == 3
    assert decoded.feeds["X"].dtype == np.float32
    assert decoded.feeds["X"].tolist() == [[1.5, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert (decoded.values_nd is decoded.feeds["X"], decoded.flags_n, decoded.faults) == (True, None, ())


@pytest.mark.parametrize("rank", [1, 2])
def test_columns_get_an_input_each_of_their_own_dtype_and_rank(rank: int) -> None:
    features = (
        Feature("size", "string", categories=("s", "l")),
        Feature("w", "float64"),
        Feature("ok", "bool"),
        Feature("k", "int8"),
    )
    decoded = Codec(*features, layout="columns", rank=rank).plain.decode(
        body([["l", 1, True, 3], ["s", 2.5, False, -3]])
    )
    feeds = {name: (value.dtype.name, value.ravel().tolist()) for name, value in decoded.feeds.items()}
    assert feeds == {
        "size": ("object", ["l", "s"]),
        "w": ("float64", [1.0, 2.5]),
        "ok": ("bool", [True, False]),
        "k": ("int8", [3, -3]),
    }
    assert {value.shape for value in decoded.feeds.values()} == {(2, 1)[:rank]}
    assert decoded.values_nd is not None
    assert decoded.values_nd.tolist() == [[1, 1, 1, 3], [0, 2.5, 0, -3]]


@pytest.mark.parametrize(
    ("row", "pointer", "kind", "found"),
    [
        pytest.param({"age": 1, "n": 2}, "/a~1b~0c", "missing", "nothing", id="missing"),
        pytest.param({**GOOD, "age": None}, "/age", "missing", "nothing", id="null"),
        pytest.param({**GOOD, "age": "1.5"}, "/age", "wrong_type", "'1.5'", id="string for a number"),
        pytest.param({**GOOD, "age": True}, "/age", "wrong_type", "true", id="boolean for a number"),
        pytest.param({**GOOD, "age": [1]}, "/age", "wrong_type", "a list of 1", id="list for a number"),
        pytest.param({**GOOD, "n": 2.5}, "/n", "wrong_type", "2.5", id="fraction for an integer"),
        pytest.param({**GOOD, "n": 2.0}, "/n", "wrong_type", "2.0", id="float for an integer"),
        pytest.param({**GOOD, "age": 1e300}, "/age", "wrong_type", "1e+300", id="too large for float32"),
        pytest.param({**GOOD, "age": -(10**400)}, "/age", "wrong_type", "-1" + "0" * 75 + "...", id="too many digits"),
        pytest.param({**GOOD, "x": 1}, "/x", "unknown", "an unknown feature", id="unknown"),
        pytest.param([1, 2], "", "shape", "2 values", id="short list"),
        pytest.param([1, 2, 3, 4], "", "shape", "4 values", id="long list"),
        pytest.param([1, "2", 3], "/1", "wrong_type", "'2'", id="string in a list"),
        pytest.param("row", "", "wrong_type", "'row'", id="a string for a row"),
    ],
)
def test_a_fault_is_named_by_its_pointer(row: Any, pointer: str, kind: str, found: str) -> None:
    error = rejection(MATRIX, body([GOOD, row, GOOD]))
    assert told(error) == [(f"/instances/1{pointer}", kind, found)]
    assert (error.total, error.rows) == (1, 3)


@pytest.mark.parametrize(
    ("literal", "found"),
    [
        pytest.param("NaN", "nan (not JSON)", id="NaN"),
        pytest.param("-Infinity", "-inf (not JSON)", id="-Infinity"),
        pytest.param("1e400", "inf", id="1e400"),
    ],
)
def test_numbers_that_are_none_are_refused_by_pointer(literal: str, found: str) -> None:
    raw = body([GOOD, GOOD]).replace(b"1.5", literal.encode(), 1)
    assert told(rejection(MATRIX, raw)) == [("/instances/0/age", "wrong_type", found)]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", 128),
        ("int8", -129),
        ("uint8", -1),
        ("uint8", 256),
        ("int64", 2**63),
        ("uint64", 2**64),
        ("int32", 2**31),
    ],
)
@pytest.mark.parametrize("layout", ["matrix", "columns"])
def test_integers_outside_their_dtype_are_refused(dtype: Any, value: int, layout: Any) -> None:
    codec = Codec(Feature("k", dtype), layout=layout, dtype=dtype)
    inside = value - 1 if value > 0 else value + 1
    assert codec.plain.decode(body([[inside]])).feeds["X" if layout == "matrix" else "k"].tolist() == [[inside]]
    assert told(rejection(codec, body([[value]]))) == [("/instances/0/0", "wrong_type", str(value))]


@pytest.mark.parametrize(("dtype", "value"), [("float32", 1e300), ("float16", 1e5), ("float32", -1e39)])
@pytest.mark.parametrize("layout", ["matrix", "columns"])
def test_numbers_too_large_for_their_float_are_refused(dtype: Any, value: float, layout: Any) -> None:
    codec = Codec(Feature("x", dtype), layout=layout, dtype=dtype)
    assert told(rejection(codec, body([[1.0], [value]]))) == [("/instances/1/0", "wrong_type", repr(value))]


RULE = Rule(name="positive", range=Range(feature="y", min=0.0))


@pytest.mark.parametrize("value", [1e300, -3.4028236e38])
@pytest.mark.parametrize("rules", [pytest.param((), id="no-rules"), pytest.param((RULE,), id="rules")])
def test_a_number_too_large_for_the_matrix_is_found_where_rows_are_left_as_cells(rules: Any, value: float) -> None:
    decoders = Codec(Feature("x", "float32"), Feature("y", "float32"), rules=rules).decoders
    bodies = [body([[1.0, 2.0]]), body([[3.0, 4.0], [value, 5.0]])]
    good, bad = [decoders.plain.pending(raw) for raw in bodies]
    assert decoders.stack([good, bad]) is None
    assert decoders.settle(good, bodies[0]).feeds["X"].tolist() == [[1.0, 2.0]]
    with pytest.raises(InputRejected) as refused:
        decoders.settle(bad, bodies[1])
    assert told(refused.value) == [("/instances/1/0", "wrong_type", repr(value))]


def test_the_largest_number_of_a_float_may_be_written_short() -> None:
    decoders = Codec(Feature("x", "float32")).decoders
    raw = body([[3.4028235e38]])
    pending = decoders.plain.pending(raw)
    stacked = decoders.stack([pending])
    assert stacked is not None
    assert stacked[1].tolist() == [[float(np.finfo(np.float32).max)]]
    assert decoders.decode("plain", raw).feeds["X"].tolist() == stacked[1].tolist()


def test_a_number_that_the_matrix_holds_and_its_feature_does_not_is_refused() -> None:
    codec = Codec(Feature("x", "float32"), dtype="float64")
    assert told(rejection(codec, body([[1e300]]))) == [("/instances/0/0", "wrong_type", "1e+300")]
    with pytest.raises(InputRejected):
        codec.decoders.plain.pending(body([[1e300]]))


def test_every_fault_counts_and_the_first_64_are_shown() -> None:
    error = rejection(MATRIX, body([["x", None, "y"]] * 40 + [[1]]))
    assert (len(error.faults), error.total, error.rows) == (64, 121, 41)
    assert error.counts == {
        ("age", "wrong_type"): 40,
        ("n", "missing"): 40,
        ("a/b~c", "wrong_type"): 40,
        ("", "shape"): 1,
    }


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"{", "not JSON", id="unfinished"),
        pytest.param(b'{"instances": [[1,2,3]]} x', "Extra data", id="garbage behind"),
        pytest.param(b'\xef\xbb\xbf{"instances": [[1,2,3]]}', "BOM", id="byte order mark"),
        pytest.param('{"instances": [[1,2,3]]}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b'{"instances": ["\xff"]}', r"not UTF-8 \(byte 16\)", id="not UTF-8"),
        pytest.param(b'{"instances": [[1,2,' + b"1" * 5000 + b"]]}", "too many digits", id="5000 digits"),
    ],
)
def test_a_body_that_is_not_json_is_told_so(raw: bytes, text: str) -> None:
    with pytest.raises(BodyMalformed, match=text):
        MATRIX.plain.decode(raw)


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        pytest.param(b"[]", [("", "wrong_type", "a list of 0")], id="a list"),
        pytest.param(b"{}", [("/instances", "missing", "nothing")], id="no instances"),
        pytest.param(b'{"instances": {}}', [("/instances", "wrong_type", "an object")], id="instances not a list"),
        pytest.param(
            b'{"instances": [], "z": 1}',
            [("/instances", "shape", "an empty list"), ("/z", "unknown", "an unknown member")],
            id="empty and unknown",
        ),
        pytest.param(b'{"instances": [[1,2,3]], "model": 1}', [("/model", "wrong_type", "1")], id="model not a name"),
        pytest.param(
            b'{"instances": [[1,2,3]], "b": 1, "a": 1}',
            [("/a", "unknown", "an unknown member"), ("/b", "unknown", "an unknown member")],
            id="in order",
        ),
    ],
)
def test_an_envelope_that_is_wrong_is_named_by_pointer(raw: bytes, faults: list[tuple[str, str, str]]) -> None:
    assert told(malformed(MATRIX, raw)) == faults


def test_an_empty_batch_is_refused() -> None:
    assert str(malformed(MATRIX, body([]))) == "the batch is empty: send at least one row"


def test_more_rows_than_the_limit_are_refused_good_or_bad() -> None:
    for row in ([1, 2, 3], ["x"]):
        with pytest.raises(BodyTooLarge, match="at most 50 rows are accepted; this one has 51"):
            MATRIX.plain.decode(body([row] * 51))


def test_the_body_may_name_the_model_of_the_path_and_no_other() -> None:
    assert MATRIX.plain.decode(body([GOOD], model="m")).n == 1
    assert "names model 'other', the path 'm'" in str(malformed(MATRIX, body([GOOD], model="other")))


@pytest.mark.parametrize("mark", [b"[", b'{"a":'], ids=["lists", "objects"])
@pytest.mark.parametrize("codec", [MATRIX, COLUMNS, Codec(Feature("a", "float32"), unknown="ignore")])
def test_deep_nesting_is_refused_and_never_crashes(codec: Codec, mark: bytes) -> None:
    for depth in (33, 100_000):
        with pytest.raises(BodyTooLarge, match="at most 32 levels of nesting"):
            codec.plain.decode(b'{"instances": ' + mark * depth)


def test_an_ignored_feature_is_held_to_the_depth_limit_too() -> None:
    codec = Codec(Feature("a", "float32"), unknown="ignore", limits=LimitSettings(depth=5))
    codec.plain.decode(b'{"instances": [{"a": 1, "more": [[]]}]}')
    with pytest.raises(BodyTooLarge):
        codec.plain.decode(b'{"instances": [{"a": 1, "more": [[[]]]}]}')


def test_unknown_features_are_ignored_where_the_contract_says_so() -> None:
    codec = Codec(Feature("a", "float32"), unknown="ignore")
    assert codec.plain.decode(b'{"instances": [{"a": 1, "b": {"c": "x"}}]}').feeds["X"].tolist() == [[1.0]]
    assert told(rejection(codec, b'{"instances": [{"a": "x", "b": 1}]}')) == [("/instances/0/a", "wrong_type", "'x'")]


@pytest.mark.parametrize("value", [1, True, None, ["s"]])
def test_a_string_feature_takes_strings_only(value: Any) -> None:
    (fault,) = rejection(COLUMNS, body([["s", 1.0, True], [value, 1.0, True]])).faults
    assert (fault.pointer, fault.expected, fault.feature) == ("/instances/1/0", "a string", "size")


@pytest.mark.parametrize("value", [0, 1.0, "true"])
def test_a_boolean_feature_takes_booleans_only(value: Any) -> None:
    (fault,) = rejection(COLUMNS, body([{"size": "s", "w": 1, "ok": value}])).faults
    assert (fault.pointer, fault.expected) == ("/instances/0/ok", "true or false")


def test_half_a_surrogate_pair_can_be_told() -> None:
    raw = b'{"instances": [{"age": 1, "n": 2, "a/b~c": 3, "\\ud800": "\\udc00"}]}'
    (fault,) = rejection(MATRIX, raw).faults
    assert fault.pointer == "/instances/0/\\ud800"
    fault.pointer.encode()


def test_half_a_surrogate_pair_as_a_value_is_refused() -> None:
    found = rejection(COLUMNS, b'{"instances": [["\\ud800", 1, true]]}')
    assert told(found) == [("/instances/0/0", "wrong_type", "half of a surrogate pair")]


def test_columns_may_mix_what_may_be_missing_with_what_must_not() -> None:
    codec = Codec(
        Feature("a", "float32", missing="flag"), Feature("b", "float32"), Feature("c", "float32", missing="flag")
    )
    decoded = codec.plain.decode(body([{"b": 2, "c": 3}, [1, 2, None], {"a": 1, "b": 2, "c": None}]))
    np.testing.assert_array_equal(decoded.feeds["X"], [[np.nan, 2, 3], [1, 2, np.nan], [1, 2, np.nan]])
    assert told(rejection(codec, body([{"a": 1}]))) == [("/instances/0/b", "missing", "nothing")]


IMAGE = TensorCodec(TensorSpec("image", "float32", (-1, 2, 3)))


def test_a_tensor_model_takes_nested_lists() -> None:
    decoded = IMAGE.plain.decode(body([[[1, 2, 3], [4, 5, 6]]] * 2))
    assert (decoded.n, decoded.values_nd, decoded.feeds["image"].shape) == (2, None, (2, 2, 3))


@pytest.mark.parametrize(
    ("instance", "text"),
    [
        pytest.param([[1, 2, 3]], r"each instance must have shape \[2, 3\], found \[1, 3\]", id="another shape"),
        pytest.param([[1, 2, 3], [1, 2]], "cannot be read as the model's input", id="ragged"),
        pytest.param([["1", 2, 3], [1, 2, 3]], "got `str`", id="a string for a number"),
        pytest.param([[True, 2, 3], [1, 2, 3]], "got `bool`", id="a boolean for a number"),
        pytest.param([[None, 2, 3], [1, 2, 3]], "got `null`", id="null"),
        pytest.param([[1e300, 2, 3], [1, 2, 3]], "overflow", id="too large for float32"),
        pytest.param([[[1], 2, 3], [1, 2, 3]], "got `array`", id="too deep"),
        pytest.param(7, "got `int`", id="no list"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(instance: Any, text: str) -> None:
    with pytest.raises(BodyMalformed, match=text):
        IMAGE.plain.decode(body([instance]))


def test_a_model_with_several_tensors_points_to_the_other_protocol() -> None:
    codec = TensorCodec(TensorSpec("a", "float32", (-1, 2, 2)), TensorSpec("b", "float32", (-1, 2, 2)))
    assert "/v2" in str(malformed(codec, body([[1]])))
    assert "/v2" in str(malformed(TensorCodec(TensorSpec("a", "float32", ())), body([[1]])))


@pytest.mark.parametrize(
    ("raw", "model"),
    [
        (b'{"instances": [[1]], "model": "m"}', "m"),
        (b'{"instances": [[1]]}', None),
        (b'{"model": 1}', None),
        (b"[]", None),
        (b"{", None),
        (b'{"model": "\xff"}', None),
        (b'{"x": ' + b"[" * 100_000, None),
    ],
)
def test_the_model_is_read_from_a_body_without_its_rows(raw: bytes, model: str | None) -> None:
    assert peek_model(raw) == model


def test_a_number_that_is_none_is_null_in_the_answer() -> None:
    writer = PlainWriter("m", "1", "stable", ("a", "b"))
    texts = writer.texts([float("nan"), 1.5], [[float("inf"), 0.5], [0.25, 0.75]])
    assert json.loads(writer.write(b"r", texts)) == {
        "id": "r",
        "model": "m",
        "version": "1",
        "variant": "stable",
        "predictions": [None, 1.5],
        "classes": ["a", "b"],
        "probabilities": [[None, 0.5], [0.25, 0.75]],
    }


def test_names_may_have_any_character() -> None:
    writer = PlainWriter("100%d%%", "1", "stable", ("%b", '"'))
    answer = writer.write(b"r", writer.texts(["%b", '"'], [[0.5, 0.5], [0.25, 0.75]]))
    assert len(answer) == writer.fixed_bytes + len(b'r"%b","\\""[0.5,0.5],[0.25,0.75]')
    assert json.loads(answer)["model"] == "100%d%%"
    assert json.loads(answer)["classes"] == json.loads(answer)["predictions"] == ["%b", '"']


def test_an_answer_without_classes_has_no_such_members() -> None:
    writer = PlainWriter("m", "1", "stable", ())
    answer = json.loads(writer.write(b"r", writer.texts([1.0], None)))
    assert answer.keys() == {"id", "model", "version", "variant", "predictions"}


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.floats(width=32)), min_size=1))
def test_each_answer_of_a_run_has_its_own_rows(values: list[Any]) -> None:
    writer, told = PlainWriter("m", "1", "stable", ()), json.loads(msgspec.json.encode(values))
    texts = writer.texts(values, None)
    found = [json.loads(writer.template % (b"r", *texts.of(i, 1)))["predictions"] for i in range(len(values))]
    assert found == [[value] for value in told]


@given(st.lists(st.lists(st.floats(width=32), min_size=2, max_size=2), min_size=1, max_size=5))
def test_scores_cut_into_rows_are_the_scores(scores: list[list[float]]) -> None:
    told = [[value if isfinite(value) else None for value in row] for row in scores]
    assert [json.loads(row) for row in rows_of(scores)] == told


def test_rows_left_as_cells_become_what_rows_decoded_by_themselves_are() -> None:
    decoders = MATRIX.decoders
    bodies = [body([GOOD]), body([[7.5, -3, 1e3], {**GOOD, "n": 9}])]
    pending = [decoders.plain.pending(raw) for raw in bodies]
    stacked = decoders.stack(pending)
    assert stacked is not None
    apart = [decoders.decode("plain", raw) for raw in bodies]
    np.testing.assert_array_equal(stacked[1], np.concatenate([decoded.values_nd for decoded in apart]))
    for name, feed in stacked[0].items():
        np.testing.assert_array_equal(feed, np.concatenate([decoded.feeds[name] for decoded in apart]))
        assert feed.dtype == apart[0].feeds[name].dtype


@pytest.mark.parametrize(
    ("raw", "is_fine"),
    [
        (body([GOOD]), True),
        (body([GOOD, [7.5, -3, 1e3]]), True),
        (body([GOOD], model="m"), True),
        (body([GOOD], model="other"), False),
        (body([GOOD] * 101), False),
        (body([]), False),
        (body([{**GOOD, "n": None}]), False),
        (b"{", False),
        (b"[" * 100_000, False),
        (b"\xff", False),
    ],
)
def test_bodies_that_came_together_are_decoded_as_alone_or_left_to_be(raw: bytes, *, is_fine: bool) -> None:
    plain = MATRIX.decoders.plain
    first, found, last = plain.pending_all([body([GOOD]), raw, body([GOOD])])
    assert first is not None
    assert last is not None
    assert first.cells == last.cells == plain.pending(body([GOOD])).cells
    if found is None:
        assert not is_fine
        with pytest.raises(RequestInvalid):
            plain.pending(raw)
    else:
        assert is_fine
        alone = plain.pending(raw)
        assert (found.n, found.cells, found.feeds) == (alone.n, alone.cells, alone.feeds)


def test_a_value_that_needs_a_policy_is_judged_by_itself() -> None:
    codec = Codec(Feature("x", "float32", maximum=5.0, out_of_range="flag"), Feature("y", "float32", missing="flag"))
    decoders = codec.decoders
    good, high, missing = ([{"x": x, "y": y}] for x, y in ((1.0, 2.0), (9.0, 2.0), (1.0, None)))
    for rows in (high, missing):
        raw = body(rows)
        pending = decoders.plain.pending(raw)
        assert decoders.stack([decoders.plain.pending(body(good)), pending]) is None
        settled, direct = decoders.settle(pending, raw), decoders.decode("plain", raw)
        assert settled.faults == direct.faults != ()
        np.testing.assert_array_equal(settled.values_nd, direct.values_nd)


def test_pending_rows_that_are_refused_name_their_faults() -> None:
    decoders = Codec(Feature("x", "float32", maximum=5.0, out_of_range="reject")).decoders
    raw = body([{"x": 9.0}])
    pending = decoders.plain.pending(raw)
    assert decoders.stack([pending]) is None
    with pytest.raises(InputRejected) as caught:
        decoders.settle(pending, raw)
    assert [fault.pointer for fault in caught.value.faults] == ["/instances/0/x"]
