"""Estimated performance: near the truth where its assumption holds, silent where nothing can be told."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from monitors.performance import METHODS, Performance, estimate_performance
from monitors.records import FeatureSchema, OutputSchema, StreamInfo
from monitors.reference import build_profile
from monitors.summary import Layout, merge, summarise
from tests.monitors.material import FEATURES, OUTPUT, info, observe, profile, rows, scores, truths

Floats = npt.NDArray[np.float64]
LAYOUT = Layout.of(info(), profile(20_000, labelled=True))


def estimated(values_nd: Floats, scores_nk: Floats | None = None, layout: Layout = LAYOUT) -> Performance:
    """Return the estimates of a window."""
    cells = summarise(layout, observe(values_nd, 1000.0, scores_nk=scores_nk), 2000)[1_000_000].cells
    return estimate_performance(layout, cells)


def accuracies(found: Performance) -> dict[str, float]:
    """Return what is told, by method."""
    return {each.method: each.accuracy for each in found.estimates if each.accuracy is not None}


def accuracy(values_nd: Floats, seed: int = 5) -> float:
    """Return the true accuracy of the version on rows."""
    scores_nk = scores(values_nd)
    return float((truths(np.random.default_rng(seed), scores_nk) == scores_nk.argmax(axis=1)).mean())


def test_on_unchanged_data_all_methods_tell_the_accuracy() -> None:
    found = estimated(rows(np.random.default_rng(11), 5_000))
    assert list(accuracies(found)) == list(METHODS)
    assert list(accuracies(found).values()) == pytest.approx([found.accuracy_before] * 3, abs=0.015)


def test_the_noise_is_what_one_window_in_a_hundred_leaves() -> None:
    found = [estimated(rows(np.random.default_rng(seed), 300)) for seed in range(300)]
    for i in range(3):
        off = [(f.estimates[i].accuracy or 0.0) - (f.accuracy_before or 0.0) for f in found]
        noise = np.mean([f.estimates[i].noise or 0.0 for f in found])
        assert np.mean(np.abs(off) > noise) <= 0.03
        assert np.std(off) == pytest.approx(noise / 2.576, rel=0.2)


def test_harder_inputs_are_seen_by_the_methods_that_look_at_certainty() -> None:
    values_nd = rows(np.random.default_rng(6), 6_000)
    values_nd[:, 0], values_nd[:, 1] = 0.5, 40.0 + (values_nd[:, 1] - 40.0) / 3.0
    found, truth = accuracies(estimated(values_nd)), accuracy(values_nd)
    assert truth < 0.75
    assert found["cbpe"] == pytest.approx(truth, abs=0.03)
    assert found["atc"] < 0.85


def test_label_shift_is_told_by_its_own_method() -> None:
    rng = np.random.default_rng(7)
    values_nd = rows(rng, 40_000)
    truths_n = truths(np.random.default_rng(8), scores(values_nd))
    kept = (truths_n == 1) | (rng.uniform(size=len(truths_n)) < 0.2)
    found = estimated(values_nd[kept])
    answers_n = scores(values_nd[kept]).argmax(axis=1)
    assert accuracies(found)["bbse"] == pytest.approx((answers_n == truths_n[kept]).mean(), abs=0.01)
    bad = found.labels[1]
    assert bad.name == "bad"
    assert bad.share == pytest.approx(truths_n[kept].mean(), abs=0.01)
    assert bad.before == pytest.approx(0.51, abs=0.03)


def test_the_spread_tells_how_far_the_methods_part() -> None:
    values_nd = rows(np.random.default_rng(9), 4_000)
    calm, sure = estimated(values_nd), estimated(values_nd, np.round(scores(values_nd)) * 0.998 + 0.001)
    assert calm.spread is not None
    assert sure.spread is not None
    assert calm.spread < 0.02
    assert sure.spread > 0.1


def test_merged_windows_tell_what_one_window_tells() -> None:
    observation = observe(rows(np.random.default_rng(3), 300), 1000.0)
    whole = summarise(LAYOUT, observation, 2000)[1_000_000]
    parts = [
        summarise(LAYOUT, observe(observation.values_nd[part], 1000.0), 2000)[1_000_000]
        for part in (slice(0, 1), slice(1, 150), slice(150, 300))
    ]
    merged = merge(merge(parts[2], parts[0]), parts[1])
    assert (merged.cells == whole.cells).all()
    assert estimate_performance(LAYOUT, merged.cells) == estimate_performance(LAYOUT, whole.cells)


def why(found: Performance) -> dict[str, str]:
    """Return why methods tell nothing."""
    return {each.method: each.why for each in found.estimates if each.accuracy is None}


def test_without_labels_in_the_reference_nothing_is_told_and_why() -> None:
    found = estimated(rows(np.random.default_rng(1), 100), layout=Layout.of(info(), profile()))
    assert (found.spread, found.labels, found.accuracy_before) == (None, (), None)
    assert set(why(found)) == set(METHODS)
    assert "weir profile" in why(found)["cbpe"]
    assert "weir profile" in why(estimated(rows(np.random.default_rng(1), 9), layout=Layout.of(info(), None)))["atc"]


def test_a_version_without_probabilities_has_the_estimate_by_label_shift_alone() -> None:
    values_nd = rows(np.random.default_rng(1), 3_000)
    labels_n = scores(values_nd).argmax(axis=1)
    truths_n = truths(np.random.default_rng(2), scores(values_nd))
    reference = build_profile(FEATURES, OUTPUT, values_nd, labels_n, np.empty((3_000, 0)), truths_n=truths_n)
    layout = Layout.of(info(), reference)
    observation = replace(
        observe(values_nd, 1000.0, scores_nk=np.empty((3_000, 0))), labels_n=labels_n.astype(np.int32)
    )
    found = estimate_performance(layout, summarise(layout, observation, 2000)[1_000_000].cells)
    assert accuracies(found) == {"bbse": pytest.approx(found.accuracy_before)}
    assert "without probabilities" in why(found)["cbpe"]


def test_a_matrix_that_cannot_be_inverted_is_not() -> None:
    values_nd = rows(np.random.default_rng(1), 400)
    scores_nk = np.tile([0.6, 0.4], (400, 1))
    truths_n = np.random.default_rng(2).integers(0, 2, 400)
    layout = Layout.of(
        info(), build_profile(FEATURES, OUTPUT, values_nd, np.zeros(400, dtype=int), scores_nk, truths_n=truths_n)
    )
    assert "tell the classes apart" in why(estimated(values_nd, scores_nk, layout))["bbse"]


def test_a_window_without_a_usable_answer_tells_nothing() -> None:
    assert "usable" in why(estimated(rows(np.random.default_rng(1), 50), np.full((50, 2), np.nan)))["cbpe"]
    assert "names a class" in why(estimated(rows(np.random.default_rng(1), 50), np.full((50, 2), np.nan)))["bbse"]


def test_a_regression_is_neither_right_nor_wrong() -> None:
    about = StreamInfo("m", "1", "d", (FeatureSchema("x", "number", "float64"),), OutputSchema("regression"))
    layout = Layout.of(about, None)
    assert "regression" in why(estimate_performance(layout, np.zeros(layout.size, dtype=np.int64)))["atc"]
