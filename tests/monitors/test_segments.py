"""Segments: bounded by the reference, counted apart, merged by addition, and told in report, gauges and effects."""

import json

import numpy as np
import numpy.typing as npt
import pytest

from monitors.assessment import assess_segments
from monitors.cells import Cells, cells_for
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import UNSEEN_CODE, FeatureSchema, OutputSchema, StreamInfo
from monitors.reference import ProfileInvalid, ReferenceProfile, build_profile, from_json
from monitors.segments import LEAST_ROWS, MAXIMUM_SEGMENTS, Split, split_of
from monitors.service import MonitorService
from monitors.summary import Layout, merge, summarise
from monitors.thresholds import Thresholds
from tests.monitors.material import FEATURES, OUTPUT, HandClock, info, observe, rows, scores, truths

Floats = npt.NDArray[np.float64]


def reference(segment: str | None = "colour", n: int = 4_000) -> ReferenceProfile:
    """Return the reference told apart by a feature, with labels."""
    values_nd = rows(np.random.default_rng(1), n)
    scores_nk = scores(values_nd)
    truths_n = truths(np.random.default_rng(2), scores_nk)
    answers_n = scores_nk.argmax(axis=1)
    return build_profile(FEATURES, OUTPUT, values_nd, answers_n, scores_nk, truths_n=truths_n, segment=segment)


REFERENCE = reference()
LAYOUT = Layout.of(info(), REFERENCE)
WHOLE = Layout.of(info(), reference(None))


def cells_of(values_nd: Floats, layout: Layout = LAYOUT) -> npt.NDArray[np.int64]:
    """Return the cells of rows."""
    return summarise(layout, observe(values_nd, 1000.0), 2000)[1_000_000].cells


def test_the_whole_is_counted_as_without_segments_and_is_their_sum() -> None:
    values_nd = rows(np.random.default_rng(3), 500)
    values_nd[:9, 2], values_nd[9:20, 2] = UNSEEN_CODE, np.nan
    cells = cells_of(values_nd)
    assert (cells[: LAYOUT.width] == cells_of(values_nd, WHOLE)).all()
    assert (cells[: LAYOUT.width] == sum(LAYOUT.of_segment(cells, code) for code in range(4))).all()


def test_a_segment_is_counted_as_its_rows_alone_are() -> None:
    values_nd = rows(np.random.default_rng(3), 500)
    for code, cell in enumerate(REFERENCE.segmentation.split.cells if REFERENCE.segmentation else ()):
        alone = cells_of(values_nd[values_nd[:, 2] == cell - 1], WHOLE)
        assert (LAYOUT.of_segment(cells_of(values_nd), code) == alone).all()


def test_any_split_of_the_rows_merges_to_the_same_summary() -> None:
    values_nd = rows(np.random.default_rng(4), 300)
    whole = summarise(LAYOUT, observe(values_nd, 1000.0), 2000)[1_000_000]
    first, second, third = (
        summarise(LAYOUT, observe(values_nd[part], 1000.0), 2000)[1_000_000]
        for part in (slice(0, 7), slice(7, 200), slice(200, 300))
    )
    assert (merge(third, merge(first, second)).cells == whole.cells).all()


def test_only_the_segment_that_drifted_moves() -> None:
    values_nd = rows(np.random.default_rng(5), 3_000)
    values_nd[values_nd[:, 2] == 1.0, 1] += 8.0
    found = {segment.name: segment for segment in assess_segments(LAYOUT, cells_of(values_nd))}
    assert set(found) == {"red", "green", "blue", "other"}
    (most, *_) = found["green"].moved()
    assert (most.name, most.statistic) == ("age", "wasserstein")
    assert most.excess > 0.1
    assert all(movement.excess < 0.02 for name in ("red", "blue") for movement in found[name].moved())


def test_a_segment_is_held_against_its_own_rows_of_the_reference() -> None:
    def told_apart(seed: int) -> Floats:
        values_nd = rows(np.random.default_rng(seed), 3_000)
        values_nd[values_nd[:, 2] == 2.0, 1] += 30.0
        return values_nd

    values_nd = told_apart(1)
    scores_nk = scores(values_nd)
    profile = build_profile(FEATURES, OUTPUT, values_nd, scores_nk.argmax(axis=1), scores_nk, segment="colour")
    layout = Layout.of(info(), profile)
    for segment in assess_segments(layout, cells_of(told_apart(6), layout)):
        assert all(movement.excess < 0.02 for movement in segment.moved())
        assert segment.share == pytest.approx(segment.share_before, abs=0.04)


def test_missing_unseen_and_rare_values_are_other() -> None:
    values_nd = rows(np.random.default_rng(7), 400)
    values_nd[:100, 2], values_nd[100:150, 2] = np.nan, UNSEEN_CODE
    *_, other = assess_segments(LAYOUT, cells_of(values_nd))
    assert (other.name, other.assessment.rows) == ("other", 150)


def test_the_number_of_segments_is_bounded_and_the_most_frequent_have_them() -> None:
    categories = tuple(f"c{i:02}" for i in range(30))
    counts = np.array([0, *range(100, 130), 0, 0, 0])
    split = split_of("kind", Cells("categories", categories=categories), counts)
    assert len(split.cells) == MAXIMUM_SEGMENTS
    assert split.cells[0] == 30
    assert split.names(Cells("categories", categories=categories))[-2:] == ("c22", "other")


def test_a_number_with_few_values_tells_segments_apart() -> None:
    profile = reference("https")
    assert profile.segmentation is not None
    assert profile.segmentation.split.names(profile.features[0].cells) == ("1", "0", "0.5", "other")


def test_a_segment_has_one_name_in_the_profile_and_in_evidence_however_many_digits_rare_values_need() -> None:
    shops = (1234567.0, 2000000.0, *(1234568.0 + i for i in range(5)))
    values_nd = np.column_stack([np.repeat(shops, [2_000, 2_000, *[9] * 5]), np.arange(4_045.0)])
    schema = [FeatureSchema("shop", "number", "float64"), FeatureSchema("x", "number", "float64")]
    tensor = OutputSchema("tensor")
    profile = build_profile(schema, tensor, values_nd, np.full(4_045, -1), np.zeros((4_045, 0)), segment="shop")
    evidence = EvidenceModel.fit(Rows(values_nd), schema, segment="shop").channels.segmented
    assert profile.segmentation is not None
    assert evidence is not None
    assert profile.segmentation.split.names(profile.features[0].cells) == ("1.23457e+06", "2e+06", "other")
    assert evidence.names(schema) == ("1.23457e+06", "2e+06")


def test_names_are_short_never_empty_and_each_another_one() -> None:
    values = ("", "x" * 5_000, "x" * 5_000 + "y", "empty text", "other", 'quo"te\\\n', "\u540d", "x" * 100)
    names = Split("kind", tuple(range(1, 9))).names(Cells("categories", categories=values))
    assert names[3:] == ("empty text", "other", 'quo"te\\\n', "\u540d", "x" * 100, "any other")
    assert names[0] == "any empty text"
    assert len(set(names)) == 9
    assert [len(name) for name in names[1:3]] == [100, 100]
    codes_n = np.repeat(np.arange(8.0), 1_000)[:, None]
    schema = [FeatureSchema("kind", "category", "string", values), FeatureSchema("x", "number", "float64")]
    evidence = EvidenceModel.fit(Rows(np.column_stack([codes_n, np.arange(8_000.0)])), schema, segment="kind")
    assert evidence.channels.segmented is not None
    assert evidence.channels.segmented.names(schema) == names[:8]


@pytest.mark.parametrize(
    ("segment", "why"),
    [("age", "no single values"), ("nothing", "no feature is called 'nothing'")],
)
def test_what_cannot_tell_segments_apart_is_refused(segment: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        reference(segment)


def test_values_that_are_all_rare_are_refused() -> None:
    values_n = np.arange(30.0)
    with pytest.raises(ValueError, match=f"{LEAST_ROWS} rows"):
        split_of("x", cells_for(values_n), cells_for(values_n).count(values_n))


def test_a_value_that_all_rows_have_tells_no_segments_apart() -> None:
    values_n = np.full(4 * LEAST_ROWS, 7.0)
    with pytest.raises(ValueError, match="x has one value in all rows of the reference, which tells no segments apart"):
        split_of("x", cells_for(values_n), cells_for(values_n).count(values_n))
    values_n[0] = np.nan
    assert len(split_of("x", cells_for(values_n), cells_for(values_n).count(values_n)).cells) == 1


def test_a_profile_with_segments_comes_back_from_its_text() -> None:
    assert from_json(REFERENCE.to_json()) == REFERENCE


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        pytest.param(("split", "feature"), "nobody", "$.segmentation.split.feature", id="feature"),
        pytest.param(("split", "cells"), [1, 1, 2], "$.segmentation.split.cells", id="twice"),
        pytest.param(("split", "cells"), [1, 2, 99], "$.segmentation.split.cells", id="no cell"),
        pytest.param(("split", "cells"), [], "$.segmentation.split.cells", id="none"),
        pytest.param(("segments",), [], "$.segmentation.segments", id="no segments"),
        pytest.param(("segments", 0, "counts"), [], "$.segmentation.segments[0]", id="counts of no feature"),
        pytest.param(("segments", 0, "counts", 0), [1], "$.segmentation.segments[0].counts", id="counts"),
        pytest.param(("segments", 1, "output", "classes"), [], "$.segmentation.segments[1].output", id="classes"),
    ],
)
def test_a_wrong_segmentation_is_refused_by_place(path: tuple[str | int, ...], value: object, where: str) -> None:
    document = json.loads(REFERENCE.to_json())
    place = document["segmentation"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ProfileInvalid) as refused:
        from_json(json.dumps(document).encode())
    assert refused.value.where == where


def test_a_regressions_segments_have_its_values_cells() -> None:
    features = (FeatureSchema("x", "number", "float64"), FeatureSchema("kind", "category", "string", ("a", "b")))
    rng = np.random.default_rng(1)
    values_nd = np.column_stack([rng.normal(size=500), rng.integers(0, 2, 500)])
    profile = build_profile(
        features, OutputSchema("regression"), values_nd, np.full(500, -1), values_nd[:, :1], segment="kind"
    )
    assert from_json(profile.to_json()) == profile
    layout = Layout.of(StreamInfo("m", "1", "d", features, OutputSchema("regression")), profile)
    assert [part.value_cells for part in layout.segments] == [layout.value_cells] * 3


def test_segments_are_in_the_report_and_the_gauges_and_bounded() -> None:
    clock, rng = HandClock(), np.random.default_rng(8)
    service = MonitorService(Thresholds(tick_s=2.0), clock)
    service.take_info(info(reference=REFERENCE.to_json()))
    values_nd = rows(rng, 600)
    values_nd[values_nd[:, 2] == 0.0, 0] = np.nan
    service.take(observe(values_nd, clock.now_s))
    clock.now_s += 3.0
    service.tick()
    found = json.loads(json.dumps(service.report("phishing"), allow_nan=False))["streams"][0]["segments"]
    assert found["feature"] == "colour"
    segments = {segment["name"]: segment for segment in found["values"]}
    assert segments["red"]["moved"][0]["statistic"] == "missing"
    assert [feature["name"] for feature in segments["blue"]["features"]] == ["https", "age", "colour"]
    assert "counts" not in segments["blue"]["features"][0]
    assert (segments["red"]["level"], segments["red"]["evidence"]) == (pytest.approx(10.0, rel=0.1), None)
    assert segments["red"]["level"] == max(feature["level"] for feature in segments["red"]["features"])
    assert segments["blue"]["level"] < 0.3
    assert [segment["has_few_rows"] for segment in found["values"]] == [s["rows"] < 100 for s in found["values"]]
    assert [segment["reference_rows"] for segment in found["values"]] == [
        segment.rows
        for segment in REFERENCE.segmentation.segments  # type: ignore[union-attr]  # it has one
    ]
    gauges = {
        (labels["segment"], labels["statistic"]): value
        for name, labels, value in service.gauges()
        if name == "weir_segment_effect"
    }
    assert len(gauges) == 4 * 4
    assert gauges["red", "missing"] > 0.9
    assert gauges["blue", "missing"] == 0.0
