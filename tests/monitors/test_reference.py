"""The reference profile: what it holds, how it is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitors.profile_check import check_profile
from monitors.records import FeatureSchema, OutputSchema
from monitors.reference import ProfileInvalid, build_profile, from_json
from tests.monitors.material import FEATURES, OUTPUT, profile, rows, scores


def test_a_profile_comes_back_from_its_text_unchanged() -> None:
    text = profile().to_json()
    assert from_json(text) == profile()
    assert from_json(text).to_json() == text
    assert json.loads(text)["schema_version"] == 1


def test_few_values_are_counted_by_value_and_many_on_sixteen_quantiles() -> None:
    https, age, colour = profile().features
    assert (https.cells.kind, https.cells.points) == ("values", (0.0, 0.5, 1.0))
    assert (age.cells.kind, age.cells.inner) == ("quantiles", 16)
    assert (colour.cells.kind, colour.cells.categories) == ("categories", ("red", "green", "blue"))
    assert max(age.counts[1:17]) - min(age.counts[1:17]) <= 2


@pytest.mark.parametrize(("distinct", "kind"), [(32, "values"), (33, "quantiles")])
def test_thirty_two_distinct_values_are_the_limit(distinct: int, kind: str) -> None:
    values_nd = np.arange(distinct, dtype=float)[:, None]
    found = build_profile(FEATURES[1:2], OutputSchema("tensor"), values_nd, np.full(distinct, -1), values_nd[:, :0])
    assert found.features[0].cells.kind == kind


def test_missing_unseen_and_infinite_values_have_their_own_cells() -> None:
    values_nd = np.array([[np.nan, 1.0, -1.0], [np.inf, 2.0, 0.0], [0.5, -np.inf, 9.0]])
    found = build_profile(FEATURES, OUTPUT, values_nd, np.zeros(3, dtype=int), np.empty((3, 0)))
    https, age, colour = found.features
    assert https.counts == (0, 1, 1, 1, 0)
    assert age.counts == (1, 1, 1, 0, 0, 0)
    assert colour.counts == (0, 1, 0, 0, 0, 0, 2)


def test_fill_is_a_median_that_occurred_or_the_mode() -> None:
    values_nd = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 2.0], [1.0, np.nan, 0.0], [0.0, 4.0, np.nan]])
    found = build_profile(FEATURES, OUTPUT, values_nd, np.zeros(4, dtype=int), np.empty((4, 0)))
    assert [found.median_or_mode(schema.name) for schema in FEATURES] == [0.0, 2.0, "blue"]
    assert found.median_or_mode("unknown") is None


def test_information_is_high_where_the_answer_depends_on_the_input_and_zero_where_it_does_not() -> None:
    confidence = profile().output.confidence
    assert confidence is not None
    assert confidence.information_nats > 0.2
    values_nd = rows(np.random.default_rng(0), 50)
    constant = build_profile(FEATURES, OUTPUT, values_nd, np.zeros(50, dtype=int), np.full((50, 2), 0.5))
    assert constant.output.confidence is not None
    assert constant.output.confidence.information_nats == 0.0


def test_broken_reference_rows_do_not_count() -> None:
    values_nd = rows(np.random.default_rng(0), 10)
    scores_nk = scores(values_nd)
    scores_nk[0] = np.nan
    found = build_profile(FEATURES, OUTPUT, values_nd, np.zeros(10, dtype=int), scores_nk).output.confidence
    assert found is not None
    assert found.rows == 9


def test_a_feature_that_is_always_missing_has_no_fill() -> None:
    values_nd = np.full((3, 1), np.nan)
    schema = FeatureSchema("gone", "number", "float32")
    found = build_profile([schema], OutputSchema("tensor"), values_nd, np.full(3, -1), np.empty((3, 0)))
    assert found.median_or_mode("gone") is None
    assert from_json(found.to_json()) == found


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(((4, 2), (4,), (4, 2)), id="columns"),
        pytest.param(((4, 3), (3,), (4, 2)), id="labels"),
        pytest.param(((4, 3), (4,), (4, 3)), id="classes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape: tuple[tuple[int, int], tuple[int], tuple[int, int]]) -> None:
    values, labels, probabilities = shape
    with pytest.raises(ValueError, match=r"shape|columns"):
        build_profile(FEATURES, OUTPUT, np.zeros(values), np.zeros(labels, dtype=int), np.zeros(probabilities))


def set_in(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit of a document."""

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "where", "what"),
    [
        pytest.param(set_in("schema_version", value=2), "$.schema_version", "2", id="version"),
        pytest.param(set_in("rows", value="many"), "$.rows", "Expected `int`", id="type"),
        pytest.param(set_in("extra", value=1), "$", "unknown member `extra`", id="unknown"),
        pytest.param(set_in("features", 0, "cells", "x", value=1), "$.features[0].cells", "unknown", id="nested"),
        pytest.param(set_in("features", 0, "counts", value=[1]), "$.features[0] (https).counts", "7", id="counts"),
        pytest.param(set_in("features", 0, "counts", 0, value=-1), "$.features[0] (https).counts", "0", id="negative"),
        pytest.param(
            set_in("features", 0, "cells", "points", value=[1.0, 1.0, 0.0]),
            "$.features[0] (https).cells.points", "rising", id="points",
        ),
        pytest.param(set_in("features", 1, "name", value="https"), "$.features", "same name", id="names"),
        pytest.param(set_in("output", "class_counts", value=[1]), "$.output.class_counts", "2", id="classes"),
        pytest.param(
            set_in("output", "confidence", "top1_counts", value=[]), "$.output.confidence.top1_counts", "20", id="top1"
        ),
        pytest.param(set_in("output", "kind", value="regression"), "$.output.value", "none", id="regression"),
        pytest.param(set_in("rows", value=-1), "$.rows", "2^53", id="negative rows"),
        pytest.param(
            set_in("features", 0, "counts", 0, value=2**53 + 1), "$.features[0] (https).counts", "2^53", id="huge count"
        ),
        pytest.param(
            set_in("features", 0, "counts", 0, value=1), "$.features[0] (https).counts", "found 101", id="sum of counts"
        ),
        pytest.param(
            set_in("features", 1, "cells", "points", value=list(range(5000))),
            "$.features[1] (age).cells", "at most 4096", id="cells",
        ),
        pytest.param(
            set_in("features", 0, "cells", "kind", value="categories"),
            "$.features[0] (https).cells.kind", "number", id="kind of cells",
        ),
        pytest.param(
            set_in("features", 0, "cells", "categories", value=["a"]),
            "$.features[0] (https).cells.categories", "values", id="categories of a number",
        ),
        pytest.param(
            set_in("output", "class_counts", value=[100, 100]), "$.output.class_counts", "at most 100", id="answers"
        ),
        pytest.param(
            set_in("output", "confidence", "rows", value=101), "$.output.confidence.rows", "0 to 100", id="scored rows"
        ),
        pytest.param(
            set_in("output", "confidence", "margin_counts", 0, value=10**9),
            "$.output.confidence.margin_counts", "add up to 100", id="histogram",
        ),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_by_place(edit: Callable[[dict[str, Any]], None], where: str, what: str) -> None:
    document = json.loads(profile(100).to_json())
    edit(document)
    with pytest.raises(ProfileInvalid) as refused:
        from_json(json.dumps(document).encode())
    assert refused.value.where == where
    assert what in refused.value.what


def test_more_features_than_anyone_has_are_refused() -> None:
    small = profile(9)
    with pytest.raises(ProfileInvalid, match="at most 100000"):
        check_profile(replace(small, features=small.features[:1] * 100_001))


PERFORMANCE = "$.output.performance"


@pytest.mark.parametrize(
    ("edit", "where", "what"),
    [
        pytest.param(set_in("rows", value=0), PERFORMANCE, "1 to 100", id="no labelled row"),
        pytest.param(set_in("accuracy", value=1.5), f"{PERFORMANCE}.accuracy", "0 to 1", id="accuracy"),
        pytest.param(set_in("confusion", value=[[1, 2]]), f"{PERFORMANCE}.confusion", "2 rows", id="matrix"),
        pytest.param(set_in("confusion", 0, value=[1]), f"{PERFORMANCE}.confusion", "2 counts", id="ragged matrix"),
        pytest.param(set_in("confusion", 0, 0, value=0), f"{PERFORMANCE}.confusion", "add up to 100", id="sum"),
        pytest.param(
            set_in("certainty", "points", value=[0.9, 0.8]), f"{PERFORMANCE}.certainty.points", "rising", id="edges"
        ),
        pytest.param(
            set_in("certainty", "counts", value=[100]), f"{PERFORMANCE}.certainty.counts", "found 1", id="cells"
        ),
        pytest.param(set_in("certainty", "right", value=[]), f"{PERFORMANCE}.certainty.right", "found 0", id="shares"),
        pytest.param(set_in("certainty", "tie", value=-0.5), f"{PERFORMANCE}.certainty", "0 to 1", id="tie"),
        pytest.param(
            set_in("certainty", "entropy_steps", value=-1), f"{PERFORMANCE}.certainty.entropy_steps", "2^53", id="steps"
        ),
    ],
)  # fmt: skip
def test_a_wrong_account_of_performance_is_refused_by_place(
    edit: Callable[[dict[str, Any]], None], where: str, what: str
) -> None:
    document = json.loads(profile(100, labelled=True).to_json())
    edit(document["output"]["performance"])
    with pytest.raises(ProfileInvalid) as refused:
        from_json(json.dumps(document).encode())
    assert refused.value.where == where
    assert what in refused.value.what


def test_a_labelled_profile_comes_back_from_its_text() -> None:
    labelled = profile(500, labelled=True)
    assert labelled.output.performance is not None
    assert from_json(labelled.to_json()) == labelled


def test_labels_are_for_classes_only() -> None:
    with pytest.raises(ValueError, match="regression"):
        build_profile(
            (),
            OutputSchema("regression"),
            np.empty((2, 0)),
            np.full(2, -1),
            np.ones((2, 1)),
            truths_n=np.zeros(2, dtype=int),
        )


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"null", b'{"schema_version": 1}'])
def test_text_that_is_no_profile_is_refused(text: bytes) -> None:
    with pytest.raises(ProfileInvalid):
        from_json(text)
