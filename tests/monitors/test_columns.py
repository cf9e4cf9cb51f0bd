from typing import Any

import numpy as np
import pytest

from monitors.columns import features_of, rows_of
from monitors.records import FeatureSchema


def test_columns_tell_what_they_hold() -> None:
    table = {
        "flag": [True, False],
        "share": np.array([0.5, np.nan], dtype=np.float32),
        "mixed": [1, None],
        "city": ["Rome", None],
        "empty": [None, None],
    }
    kinds = {feature.name: (feature.kind, feature.dtype, feature.categories) for feature in features_of(table)}
    assert kinds == {
        "flag": ("number", "bool", ()),
        "share": ("number", "float32", ()),
        "mixed": ("number", "float64", ()),
        "city": ("category", "string", ("Rome",)),
        "empty": ("category", "string", ()),
    }


class NotAvailable:
    """A missing value as data frames have it: it differs neither from another nor from itself, nor does it not."""

    def __eq__(self, other: object) -> Any:
        return self

    def __ne__(self, other: object) -> Any:
        return self

    def __hash__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


def test_what_data_frames_call_missing_is_missing() -> None:
    gone = NotAvailable()
    table = {"city": ["Rome", gone], "flag": [True, gone]}
    features = features_of(table)
    assert [(feature.kind, feature.categories) for feature in features] == [("category", ("Rome",)), ("number", ())]
    assert np.array_equal(rows_of(table, features).values_nd, [[0.0, 1.0], [np.nan, np.nan]], equal_nan=True)


def test_columns_may_be_called_by_numbers() -> None:
    table: Any = {0: [1.0, 2.0], 1: ["a", "b"]}
    features = features_of(table)
    assert [feature.name for feature in features] == ["0", "1"]
    assert rows_of(table, features).values_nd.tolist() == [[1.0, 0.0], [2.0, 1.0]]


def test_rows_have_the_order_of_the_features_and_codes_for_categories() -> None:
    features = [
        FeatureSchema("city", "category", "string", ("Oslo", "Rome")),
        FeatureSchema("age", "number", "float64"),
    ]
    rows = rows_of({"age": [1, None], "city": ["Rome", "Bonn"], "id": [7, 8]}, features, [0.1, 0.2], [1, 0])
    assert np.array_equal(rows.values_nd, [[1.0, 1.0], [-1.0, np.nan]], equal_nan=True)
    assert rows.scores_nk is not None
    assert rows.scores_nk.shape == (2, 1)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        pytest.param({"pay": [1]}, r"no column for \['age'\]; it has \['pay'\]", id="absent"),
        pytest.param({"age": ["old"]}, "column 'age' is not made of numbers", id="text"),
        pytest.param({"age": [10**400]}, "column 'age' is not made of numbers", id="huge"),
        pytest.param(
            {"age": [1j]}, "column 'age' is not made of numbers: it has 1 dimensions of complex", id="complex"
        ),
        pytest.param({"age": [[1.0, 2.0]]}, "column 'age' is not made of numbers: it has 2 dimensions", id="wide"),
        pytest.param({"age": [[1.0, 2.0], [3.0]]}, "column 'age' is not one value a row", id="ragged"),
        pytest.param(
            [{"age": 1}], "columns by name, such as a dictionary of arrays or a data frame, not list", id="list"
        ),
    ],
)
def test_a_table_that_does_not_fit_says_why(table: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        rows_of(table, [FeatureSchema("age", "number", "float64")])


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one length, not \[1, 2\]"):
        rows_of({"age": [1]}, [FeatureSchema("age", "number", "float64")], [0.1, 0.2])


@pytest.mark.parametrize("label", [10**20, 0.5, float("nan"), "yes", [1], 1j])
def test_labels_that_are_no_indices_are_refused(label: Any) -> None:
    with pytest.raises(ValueError, match="labels are not indices of classes"):
        rows_of({"age": [1]}, [FeatureSchema("age", "number", "float64")], labels=[label])


@pytest.mark.parametrize("score", ["high", 1j, [[0.5]]])
def test_scores_that_are_no_numbers_are_refused(score: Any) -> None:
    with pytest.raises(ValueError, match="scores are n"):
        rows_of({"age": [1]}, [FeatureSchema("age", "number", "float64")], scores=[score])


def test_categories_of_more_than_one_dimension_are_refused() -> None:
    with pytest.raises(ValueError, match="column 'city' has 2 dimensions, expected one category a row"):
        rows_of({"city": [["Rome"]]}, [FeatureSchema("city", "category", "string", ("Rome",))])


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        pytest.param({}, "the table has no columns", id="none"),
        pytest.param(
            {"at": np.array(["2026-01-31"], "M8[s]")}, r"column 'at' holds datetime64\[s\]: leave", id="times"
        ),
    ],
)
def test_what_cannot_be_a_feature_is_told(table: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        features_of(table)
