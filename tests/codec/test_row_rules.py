"""Rules over many rows at once: they find what a reading of the rules row by row finds, whatever the values."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codec.row_rules import RowRules, row_rules
from gateway.contract import Contract, Feature, OutputBinding
from gateway.rules import Categories, Freshness, Missingness, Range, Relation, Rule

NOW_S = 1_800_000_000.0
FEATURES = (
    Feature("a", "float64", missing="flag"),
    Feature("b", "float64", missing="flag"),
    Feature("c", "int64", missing="impute", fill=0),
    Feature("time", "float64", missing="flag"),
    Feature("kind", "string", missing="impute", fill="?"),
)
NAMES = [feature.name for feature in FEATURES]
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
OPERATORS = {"<": operator.lt, "<=": operator.le}
MANY = settings(max_examples=120, deadline=None, derandomize=True)


def rules_of(*rules: Rule, dtypes: dict[str, str] | None = None) -> RowRules:
    found = row_rules(Contract("columns", FEATURES, OutputBinding(), rules=rules), dtypes)
    assert found is not None
    return found


def judged(rules: RowRules, rows: list[list[Any]]) -> dict[int, list[bool]]:
    """Return what the rules say of rows, as a worker puts them."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    numbers = [[np.nan if v is None else 1.0 if isinstance(v, str) else v for v in row] for row in rows]
    return {r: rows_n.tolist() for r, rows_n in rules.broken(np.array(numbers, np.float64), NOW_S, columns)}


def breaks(rule: Rule, row: dict[str, Any]) -> bool:
    """Judge one row as the documentation reads, without numpy."""
    if rule.missing:
        return sum(row[name] is None for name in rule.missing.features) > rule.missing.at_most
    if any(row[name] is None for name in rule.features):
        return False
    if rule.relation:
        left, right = (sum(row[name] for name in side) for side in rule.relation.terms)
        if rule.relation.operator == "==":
            return not abs(left - right) <= rule.relation.tolerance
        return not OPERATORS[rule.relation.operator](left - right, rule.relation.tolerance)
    if rule.freshness:
        age_s = NOW_S - row[rule.freshness.feature] / UNITS[rule.freshness.unit]
        ahead_s = rule.freshness.max_ahead_s
        return age_s > rule.freshness.max_age_s or (ahead_s is not None and -age_s > ahead_s)
    if rule.range:
        value = row[rule.range.feature]
        return (rule.range.min is not None and value < rule.range.min) or (
            rule.range.max is not None and value > rule.range.max
        )
    assert rule.categories
    return row[rule.categories.feature] not in rule.categories.one_of


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SMALL = st.integers(-3, 3).map(float)  # ties are what a comparison gets wrong
NUMBERS = st.one_of(SMALL, st.floats(-1e300, 1e300, allow_nan=False), st.floats(-1, 1))
AMOUNTS = st.one_of(SMALL, st.floats(0, 10))
SIDES = st.sampled_from(["a", "b", "c"]) | st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(tuple)
TIMES = st.floats(NOW_S - 100, NOW_S + 100) | st.sampled_from([NOW_S, NOW_S - 10, NOW_S + 10]) | NUMBERS
ROWS = st.lists(
    st.tuples(
        optional(NUMBERS),
        optional(NUMBERS),
        optional(st.integers(-(2**53), 2**53)),
        optional(TIMES),
        optional(st.sampled_from(["x", "y", "z", ""])),
    ).map(list),
    min_size=1,
    max_size=20,
)


@st.composite
def relations(draw: st.DrawFn) -> Relation | None:
    left, right = draw(SIDES), draw(SIDES)
    if left == right or (left,) == right or left == (right,):
        return None
    tolerance = draw(st.just(0.0) | st.floats(0, 5))
    return Relation(left=left, operator=draw(st.sampled_from(["<", "<=", "=="])), right=right, tolerance=tolerance)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    low, high = sorted([draw(NUMBERS), draw(NUMBERS)])
    ends = draw(st.sampled_from([(low, high), (low, None), (None, high)]))
    return Range(feature=draw(st.sampled_from(["a", "c"])), min=ends[0], max=ends[1])


@st.composite
def missingness(draw: st.DrawFn) -> Missingness:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return Missingness(features=tuple(names), at_most=draw(st.integers(0, len(names) - 1)))


FRESHNESS = st.builds(
    Freshness,
    feature=st.just("time"),
    max_age_s=AMOUNTS.filter(lambda amount: amount > 0),
    max_ahead_s=optional(AMOUNTS.filter(lambda amount: amount >= 0)),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
)
CATEGORIES = st.one_of(
    st.builds(Categories, feature=st.just("kind"), one_of=st.sampled_from([("x",), ("x", "y"), ("",)])),
    st.builds(Categories, feature=st.just("b"), one_of=st.sampled_from([(0.0,), (1.0, 2.0, 0.5)])),
)
RULES = st.one_of(
    relations().filter(bool).map(lambda of: Rule(name="r", relation=of)),
    ranges().map(lambda of: Rule(name="r", range=of)),
    missingness().map(lambda of: Rule(name="r", missing=of)),
    FRESHNESS.map(lambda of: Rule(name="r", freshness=of)),
    CATEGORIES.map(lambda of: Rule(name="r", categories=of)),
)


@MANY
@given(st.lists(RULES, min_size=1, max_size=4), ROWS)
def test_rules_find_what_reading_them_row_by_row_finds(rules: list[Rule], rows: list[list[Any]]) -> None:
    expected = {
        r: found
        for r, rule in enumerate(rules)
        if any(found := [breaks(rule, dict(zip(NAMES, row, strict=True))) for row in rows])
    }
    assert judged(rules_of(*rules), rows) == expected


@MANY
@given(st.lists(RULES, min_size=1, max_size=4), ROWS)
def test_many_rows_are_judged_as_each_by_itself(rules: list[Rule], rows: list[list[Any]]) -> None:
    judge, many = rules_of(*rules), rows * 9  # more rows than are judged one by one
    alone = [judged(judge, [row]) for row in rows]
    for r in range(len(rules)):
        expected = [r in found for found in alone] * 9
        assert judged(judge, many).get(r, [False] * len(many)) == expected


@MANY
@given(st.lists(RULES, min_size=1, max_size=4), ROWS)
def test_a_fault_is_told_of_each_row_that_breaks_a_rejecting_rule(rules: list[Rule], rows: list[list[Any]]) -> None:
    strict = [
        Rule(name=f"r{r}", action="reject", **{rule.kind: getattr(rule, rule.kind)}) for r, rule in enumerate(rules)
    ]
    judge = rules_of(*strict)
    told = [[fault.rule for fault in judge.faults(row, NOW_S, lambda j: f"/{j}")] for row in rows]
    broken = judged(judge, rows)
    assert told == [[f"r{r}" for r in sorted(broken) if broken[r][i]] for i in range(len(rows))]


def test_a_flagging_rule_is_not_told_as_a_fault() -> None:
    judge = rules_of(Rule(name="r", range=Range(feature="a", max=1)))
    assert list(judge.faults([2.0, None, None, None, None], NOW_S, str)) == []


@pytest.mark.parametrize("rows", [1, 100])
def test_a_limit_is_as_precise_as_the_values_that_come(rows: int) -> None:
    at_limit = np.full((rows, 5), np.float32(0.1), np.float32)
    for rule in (
        Rule(name="r", range=Range(feature="a", max=0.1)),
        Rule(name="r", categories=Categories(feature="a", one_of=(0.1,))),
    ):
        assert rules_of(rule, dtypes={"a": "float32"}).broken(at_limit, NOW_S) == []
        assert len(rules_of(rule).broken(at_limit, NOW_S)) == 1  # 0.1 in float32 is a little more than 0.1


def test_huge_numbers_are_compared_without_a_warning() -> None:
    judge = rules_of(Rule(name="r", relation=Relation(left=("a", "b"), operator="<=", right="c")))
    assert judged(judge, [[1e308, 1e308, 0, 0.0, "x"]] * 20) == {0: [True] * 20}


def test_a_contract_without_rules_has_nothing_to_judge_by() -> None:
    assert row_rules(Contract("columns", FEATURES, OutputBinding())) is None
