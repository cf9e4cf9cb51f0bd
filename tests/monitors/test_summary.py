"""A summary does not depend on how its rows were split."""

from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitors.cells import Cells
from monitors.records import BROKEN_FLAG, FeatureSchema, Observation, OutputSchema, StreamInfo, TickSummary
from monitors.reference import ProfileInvalid, build_profile
from monitors.summary import FIXED_POINT, Layout, ObservationInvalid, merge, summarise
from tests.monitors.material import FEATURES, OUTPUT, info, observe, profile, rows, scores

TICK_MS = 2000
LAYOUT = Layout.of(info(), profile())


def many_classes(n: int, k: int) -> tuple[Layout, Observation]:
    """Return rows of a classifier with many classes, some of them broken, over two ticks."""
    rng = np.random.default_rng(3)
    output = OutputSchema("classification", tuple(f"c{i}" for i in range(k)))
    values_nd = rows(rng, n)
    values_nd[rng.random(values_nd.shape) < 0.1] = np.nan
    scores_nk = rng.dirichlet(np.full(k, 0.3), n)
    scores_nk[rng.random(n) < 0.05] = np.nan
    layout = Layout.of(StreamInfo("m", "1", "d", FEATURES, output), None)
    return layout, observe(values_nd, 1000.0 + rng.random(n) * 4.0, scores_nk=scores_nk)


def take(observation: Observation, index: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Observation:
    """Return some rows of an observation."""
    return replace(
        observation,
        request_ids=tuple(observation.request_ids[i] for i in index),
        answered_at_n=observation.answered_at_n[index],
        key_hashes_n=observation.key_hashes_n[index],
        values_nd=observation.values_nd[index],
        labels_n=observation.labels_n[index],
        scores_nk=observation.scores_nk[index],
        durations_n=observation.durations_n[index],
        flags_n=observation.flags_n[index],
    )


def merged(layout: Layout, parts: list[Observation]) -> dict[int, TickSummary]:
    """Summarise part by part and add."""
    found: dict[int, list[TickSummary]] = {}
    for part in parts:
        for start, summary in summarise(layout, part, TICK_MS).items():
            found.setdefault(start, []).append(summary)
    return {start: reduce(merge, summaries) for start, summaries in found.items()}


@settings(max_examples=30, deadline=None)
@given(
    workers=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    k=st.sampled_from([1, 2, 3, 7, 8, 9, 33]),
)
def test_any_split_over_workers_and_batches_merges_bit_identically(workers: int, seed: int, k: int) -> None:
    layout, observation = many_classes(97, k)
    whole = summarise(layout, observation, TICK_MS)
    owner_n = np.random.default_rng(seed).integers(0, workers, 97)
    order_n = np.random.default_rng(seed).permutation(97)
    parts = [take(observation, order_n[owner_n[order_n] == worker]) for worker in range(workers)]
    together = merged(layout, [part for part in parts if part.request_ids])
    assert together.keys() == whole.keys()
    for start, summary in whole.items():
        assert together[start].rows == summary.rows
        assert together[start].cells.dtype == np.int64
        np.testing.assert_array_equal(together[start].cells, summary.cells)


def test_rows_one_by_one_are_the_same_as_one_batch() -> None:
    layout, observation = many_classes(40, 5)
    singles = [take(observation, np.array([i])) for i in range(40)]
    whole = summarise(layout, observation, TICK_MS)
    for start, summary in merged(layout, singles).items():
        np.testing.assert_array_equal(summary.cells, whole[start].cells)


def test_rows_fall_into_the_tick_of_their_answer() -> None:
    observation = observe(rows(np.random.default_rng(0), 4), np.array([1000.0, 1001.999, 1002.0, 1003.0]))
    counts = {start: summary.rows for start, summary in summarise(LAYOUT, observation, TICK_MS).items()}
    assert counts == {1_000_000: 2, 1_002_000: 2}


def test_broken_rows_are_counted_and_left_out_of_the_answers() -> None:
    values_nd = rows(np.random.default_rng(0), 6)
    scores_nk = scores(values_nd)
    scores_nk[0] = [np.nan, 1.0]
    scores_nk[1] = [0.6, 0.6]
    scores_nk[2] = [-0.1, 1.1]
    observation = observe(values_nd, 1000.0, scores_nk=scores_nk)
    observation.flags_n[3] = BROKEN_FLAG
    cells = summarise(LAYOUT, observation, TICK_MS)[1_000_000].cells
    assert LAYOUT.part(cells, "broken")[0] == 4
    assert LAYOUT.part(cells, "class").sum() == LAYOUT.part(cells, "scored")[0] == 2
    assert LAYOUT.part(cells, "probabilities").sum() == pytest.approx(2 * FIXED_POINT, abs=4)


def test_a_stream_without_a_profile_still_has_answers_missing_and_unseen() -> None:
    layout = Layout.of(info(reference=b""), None)
    values_nd = np.array([[np.nan, 1.0, 0.0], [0.5, np.nan, -1.0]])
    cells = summarise(layout, observe(values_nd, 1000.0), TICK_MS)[1_000_000].cells
    https, colour = layout.feature_cells[0], layout.feature_cells[2]
    assert https.kind == "any"
    assert layout.part(cells, "feature/https")[https.missing] == 1
    assert layout.part(cells, "feature/colour")[colour.unseen] == 1
    assert layout.part(cells, "top1").sum() == 2


def test_a_regression_is_counted_by_its_value() -> None:
    features, output = FEATURES[:1], OutputSchema("regression")
    values_nd = np.zeros((100, 1))
    scores_nk = np.linspace(0.0, 1.0, 100)[:, None]
    reference = build_profile(features, output, values_nd, np.full(100, -1), scores_nk)
    layout = Layout.of(StreamInfo("m", "1", "d", features, output), reference)
    cells = summarise(layout, observe(values_nd, 1000.0, scores_nk=scores_nk + 2.0), TICK_MS)[1_000_000].cells
    assert layout.part(cells, "value")[layout.value_cells.inner + 1] == 100
    assert not layout.has("class")


def test_layouts_of_different_references_have_different_digests() -> None:
    assert Layout.of(info(), profile()).digest == LAYOUT.digest
    assert Layout.of(info(), profile(500)).digest != LAYOUT.digest
    assert Layout.of(info(), None).digest != LAYOUT.digest


def test_channels_cover_all_cells_without_a_gap() -> None:
    ends = [channel.start + channel.size for channel in LAYOUT.channels]
    assert [channel.start for channel in LAYOUT.channels] == [0, *ends[:-1]]
    assert ends[-1] == LAYOUT.size


def test_summaries_of_different_ticks_do_not_merge() -> None:
    first, second = summarise(LAYOUT, observe(rows(np.random.default_rng(0), 2), np.array([0.0, 9.0])), 2000).values()
    with pytest.raises(ValueError, match="cannot be merged"):
        merge(first, second)


@pytest.mark.parametrize(
    "observation",
    [
        pytest.param(observe(np.zeros((2, 2)), 1.0, scores_nk=np.zeros((2, 2))), id="columns"),
        pytest.param(observe(np.zeros((2, 3)), 1.0, scores_nk=np.zeros((2, 3))), id="classes"),
        pytest.param(observe(np.zeros((2, 3)), np.nan, scores_nk=np.zeros((2, 2))), id="time"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(observation: Observation) -> None:
    with pytest.raises(ObservationInvalid):
        summarise(LAYOUT, observation, TICK_MS)


def test_a_profile_of_another_contract_is_refused() -> None:
    other = replace(info(), output=OutputSchema("classification", ("a", "b")))
    with pytest.raises(ProfileInvalid, match="classes"):
        Layout.of(other, profile())
    colours = (*FEATURES[:2], FeatureSchema("colour", "category", "string", ("black",)))
    with pytest.raises(ProfileInvalid, match="colour"):
        Layout.of(replace(info(), features=colours), profile())


def test_float32_and_float64_copies_of_a_value_fall_into_the_same_cell() -> None:
    values_n = np.round(np.random.default_rng(2).random(2000), 1)
    for kind in ("values", "quantiles"):
        cells = Cells("values" if kind == "values" else "quantiles", (0.0, 0.1, 0.3, 0.7, 1.0), precision="float32")
        single_n = values_n.astype(np.float32).astype(np.float64)
        np.testing.assert_array_equal(cells.index(values_n), cells.index(single_n))


def test_the_classes_of_the_material_are_those_of_its_output() -> None:
    assert profile().output.classes == OUTPUT.classes
