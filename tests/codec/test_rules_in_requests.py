"""Rules in requests of every protocol: what is refused and where that is told, what is flagged and counted."""

from __future__ import annotations

import json
from time import time
from typing import Any

import numpy as np
import pytest

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.diagnose import diagnose_instances
from gateway.codec.row_rules import row_rules
from gateway.codec.rows import encode_table
from gateway.codec.tensors import GivenTensor, TensorRequest
from gateway.contract import Feature
from gateway.errors import Fault, InputRejected
from gateway.rules import Categories, Freshness, Missingness, Range, Relation, Rule
from monitors.records import IMPUTED_FLAG, OUT_OF_RANGE_FLAG, RULE_FLAG
from tests.codec.contracts import LIMITS, NAMES, Codec, body, infer, tensor

IN_ORDER = Rule(name="in-order", action="reject", relation=Relation(left="start", operator="<=", right="end"))
SMALL = Rule(name="small", range=Range(feature="end", max=100.0))
FEATURES = (Feature("start", "float32"), Feature("end", "float32"))
LAYOUTS = ("matrix", "columns")
GOOD, BAD = [1.0, 2.0], [5.0, 3.0]


def codec(layout: Any, *rules: Rule, features: tuple[Feature, ...] = FEATURES) -> Codec:
    return Codec(*features, layout=layout, rules=rules)


def faults(decode: Any, *data: Any) -> list[tuple[str, str, str, str | None, str | None]]:
    with pytest.raises(InputRejected) as caught:
        decode(*data)
    return [(f.pointer, f.expected, f.found, f.feature, f.rule) for f in caught.value.faults]


def table(*rows: list[float]) -> bytes:
    """Return rows as tensors of the Open Inference Protocol, for the layout ``matrix``."""
    return infer(tensor("X", "FP32", [len(rows), 2], [value for row in rows for value in row]))


def columns(*rows: list[float]) -> bytes:
    """Return rows as tensors of the Open Inference Protocol, for the layout ``columns``."""
    start, end = ([row[j] for row in rows] for j in (0, 1))
    size = [len(rows), 1]
    return infer(tensor("end", "FP32", size, end), tensor("start", "FP32", size, start))


def told(at: str) -> list[tuple[str, str, str, str, str]]:
    return [(at, "start <= end", "start 5.0, end 3.0", "start", "in-order")]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_plain_body_is_refused_where_a_row_breaks_a_rule(layout: str) -> None:
    decoder = codec(layout, IN_ORDER).plain
    assert faults(decoder.decode, body([GOOD, BAD])) == told("/instances/1/0")
    named = [dict(zip(("start", "end"), row, strict=True)) for row in (GOOD, BAD)]
    assert faults(decoder.decode, body(named)) == told("/instances/1/start")


def test_tensors_are_refused_where_a_row_breaks_a_rule() -> None:
    assert faults(codec("matrix", IN_ORDER).v2.decode, table(GOOD, BAD)) == told("/inputs/0/data/2")
    assert faults(codec("columns", IN_ORDER).v2.decode, columns(GOOD, BAD)) == told("/inputs/1/data/1")


def test_a_request_of_grpc_is_refused_where_a_row_breaks_a_rule() -> None:
    given = GivenTensor("X", "FP32", (2, 2), lambda _dtype, _shape: np.array([GOOD, BAD], np.float32))
    request = TensorRequest((given,), (), None, bytes)
    found = faults(codec("matrix", IN_ORDER).decoders.decode, "grpc", request)
    assert found == told("/inputs/0/data/2")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_data_frame_is_refused_where_a_row_breaks_a_rule(layout: str) -> None:
    decode = codec(layout, IN_ORDER).mlflow.decode
    split = {"columns": ["end", "start"], "data": [[2.0, 1.0], [3.0, 5.0]]}
    assert faults(decode, json.dumps({"dataframe_split": split}).encode()) == told("/dataframe_split/data/1/1")
    records = [{"start": 5.0, "end": 3.0}]
    at = "/dataframe_records/0/start"
    assert faults(decode, json.dumps({"dataframe_records": records}).encode()) == told(at)
    by_column = {"start": [1.0, 5.0], "end": [2.0, 3.0]}
    assert faults(decode, json.dumps({"inputs": by_column}).encode()) == told("/inputs/start/1")


def test_a_fault_names_its_rule_in_one_line() -> None:
    fault = Fault("/instances/0/a", "rule", "a <= b", "a 2, b 1", "a", "in-order")
    assert str(fault) == "/instances/0/a: expected a <= b, found a 2, b 1 (rule 'in-order')"


def test_refusals_are_counted_by_rule_beside_the_faults_of_features() -> None:
    strict = (Feature("start", "float32"), Feature("end", "float32", maximum=10.0, out_of_range="reject"))
    with pytest.raises(InputRejected) as caught:
        codec("matrix", IN_ORDER, features=strict).plain.decode(body([BAD, BAD, [20.0, 15.0]]))
    assert caught.value.counts == {("in-order", "rule"): 3, ("end", "out_of_range"): 1}
    assert (caught.value.total, caught.value.rows) == (4, 3)


def test_a_row_of_wrong_types_is_not_held_to_rules_and_its_neighbours_are() -> None:
    with pytest.raises(InputRejected) as caught:
        codec("matrix", IN_ORDER).plain.decode(body([["5", 3.0], BAD, [1.0]]))
    assert caught.value.counts == {("start", "wrong_type"): 1, ("in-order", "rule"): 1, ("", "shape"): 1}


def flags(decoded: Decoded) -> list[int]:
    return [0] * decoded.n if decoded.flags_n is None else decoded.flags_n.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("protocol", ["plain", "v2"])
def test_flagged_rows_pass_marked_and_counted(layout: str, protocol: str) -> None:
    decoders = codec(layout, IN_ORDER, SMALL)
    rows = [GOOD, [1.0, 300.0], [2.0, 200.0]]
    tensors = table(*rows) if layout == "matrix" else columns(*rows)
    decoded = decoders.plain.decode(body(rows)) if protocol == "plain" else decoders.v2.decode(tensors)
    assert (flags(decoded), decoded.faults) == ([0, RULE_FLAG, RULE_FLAG], ((1, "rule", 2),))


def test_rules_and_policies_mark_the_same_row() -> None:
    features = (Feature("start", "float32"), Feature("end", "float32", maximum=50.0))
    decoded = codec("matrix", SMALL, features=features).plain.decode(body([[1.0, 300.0]]))
    assert flags(decoded) == [RULE_FLAG | OUT_OF_RANGE_FLAG]
    assert decoded.faults == ((1, "out_of_range", 1), (0, "rule", 1))


def test_rules_see_values_before_they_are_imputed() -> None:
    features = (
        Feature("start", "float32", missing="impute", fill=9.0),
        Feature("end", "float32", maximum=50.0, out_of_range="impute", fill=0.0),
    )
    most_known = Rule(name="known", missing=Missingness(features=("start", "end"), at_most=0))
    decoded = codec("matrix", IN_ORDER, most_known, features=features).plain.decode(body([[None, 1.0], [7.0, 60.0]]))
    assert flags(decoded) == [RULE_FLAG | IMPUTED_FLAG, IMPUTED_FLAG | OUT_OF_RANGE_FLAG]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_too_many_missing_values_are_told_at_the_first_of_them(layout: str) -> None:
    features = tuple(Feature(name, "float32", missing="flag") for name in "abc")
    rule = Rule(name="known", action="reject", missing=Missingness(features=("a", "b", "c"), at_most=1))
    decoder = codec(layout, rule, features=features).plain
    assert decoder.decode(body([{"a": 1.0, "b": 2.0}])).n == 1
    found = faults(decoder.decode, body([{"a": 1.0}]))
    assert found == [("/instances/0/b", "at most 1 missing of a, b, c", "2 missing: b, c", "b", "known")]


def test_strings_are_held_to_their_own_list_also_where_the_feature_takes_any() -> None:
    features = (Feature("country", "string", missing="impute", fill="no"), Feature("x", "float32"))
    rule = Rule(name="home", action="reject", categories=Categories(feature="country", one_of=("no", "se")))
    decoders = codec("columns", rule, features=features)
    assert decoders.plain.decode(body([["no", 1.0], [None, 1.0]])).n == 2
    expected = [("/instances/0/country", "one of 'no', 'se'", "'fi'", "country", "home")]
    assert faults(decoders.plain.decode, body([{"country": "fi", "x": 1.0}])) == expected


def test_a_time_is_judged_by_the_clock_and_to_the_second_though_the_graph_takes_float32() -> None:
    rule = Rule(
        name="fresh", action="reject", freshness=Freshness(feature="start", max_age_s=60, max_ahead_s=5, unit="s")
    )
    decoder, now_s = codec("matrix", rule).plain, time()
    assert decoder.decode(body([[now_s - 30, 1.0], [now_s + 2, 1.0]])).n == 2
    ((at, expected, found, *_),) = faults(decoder.decode, body([[now_s - 90, 1.0]]))
    assert (at, expected) == ("/instances/0/0", "a time at most 0:01:00 old and at most 5 s ahead")
    assert found.endswith(("0:01:30 old", "0:01:31 old"))
    ((_, _, ahead, *_),) = faults(decoder.decode, body([[now_s + 100, 1.0]]))
    assert ahead.endswith("ahead")


def test_a_refusal_is_told_by_the_time_of_the_judgement() -> None:
    """A row that was too far ahead when it was judged is told so, though the clock has gone on since."""
    rule = Rule(name="fresh", action="reject", freshness=Freshness(feature="start", max_age_s=1e12, max_ahead_s=5))
    contract, row = codec("matrix", rule).contract, body([[1_010.0, 1.0]])
    refusal = RowsRefused("fresh", "rule", 1, judged_at_s=1_000.0)
    told = diagnose_instances(row, contract, LIMITS, names=NAMES, cause=refusal, rules=row_rules(contract))
    assert isinstance(told, InputRejected)
    assert [(fault.rule, fault.found) for fault in told.faults] == [("fresh", "1010.0, 10 s ahead")]


@pytest.mark.parametrize("dtype", ["int64", "float64", "float32"])
def test_a_batch_is_stacked_where_no_rule_is_broken(dtype: str) -> None:
    features = tuple(Feature(name, dtype) for name in ("start", "end"))  # type: ignore[arg-type]  # parametrized
    decoders = Codec(*features, layout="matrix", dtype=dtype, rules=(IN_ORDER, SMALL)).decoders
    read = decoders.by_protocol["plain"]
    good, flagged = read(body([[1, 2]] * 9), None), read(body([[1, 300]]), None)
    stacked = decoders.stack([good, good])
    assert stacked is not None
    assert (stacked[1].dtype, stacked[1].tolist()) == (np.dtype(dtype), [[1, 2]] * 18)
    assert decoders.stack([good, flagged]) is None
    assert decoders.settle(flagged, body([[1, 300]])).faults == ((1, "rule", 1),)
    assert decoders.settle(good, body([[1, 2]] * 9)).faults == ()


def test_tables_that_are_no_requests_are_not_held_to_rules() -> None:
    decoded = encode_table(codec("matrix", IN_ORDER, SMALL).contract, [{"start": 5.0, "end": 300.0}], ranks={})
    assert (decoded.faults, decoded.flags_n) == ((), None)
