import numpy as np
import pytest

from monitors.evidence.channels import Channels
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema, OutputSchema
from tests.monitors.evidence.material import FEATURES, OUTPUT, rows


@pytest.fixture(scope="module")
def channels() -> Channels:
    return Channels.fit(rows(np.random.default_rng(1), 3000), FEATURES, OUTPUT)


def test_channels_are_features_joint_ones_and_answers_each_with_its_cause(channels: Channels) -> None:
    listed = [(channel.name, channel.cause) for channel in channels.listed]
    assert listed == [
        ("age", "inputs"),
        ("pay", "inputs"),
        ("component 1", "inputs"),
        ("component 2", "inputs"),
        ("distance", "inputs"),
        ("top-1", "confidence"),
        ("margin", "confidence"),
        ("entropy", "confidence"),
        ("probability of bad", "answers"),
        ("colour", "inputs"),
        ("age, exact values", "inputs"),
        ("pay, exact values", "inputs"),
        ("class", "answers"),
        ("broken", "broken"),
    ]


@pytest.mark.parametrize("split", [1, 10, 33])
def test_counts_of_any_split_add_up_bit_for_bit(channels: Channels, split: int) -> None:
    block = rows(np.random.default_rng(2), 200, missing=0.1)
    parts = [channels.counts(block.part(start, start + split), RowMemory()) for start in range(0, 200, split)]
    assert np.array_equal(sum(parts), channels.counts(block, RowMemory()))


def test_every_row_is_counted_once_in_every_channel(channels: Channels) -> None:
    counts_cb = channels.counts(rows(np.random.default_rng(2), 50, missing=0.5), RowMemory())
    assert counts_cb.sum(axis=1).tolist() == [50] * len(channels.listed)


def test_block_counts_are_the_counts_of_the_blocks(channels: Channels) -> None:
    block = rows(np.random.default_rng(3), 25)
    found = channels.block_counts(block, 10, RowMemory())
    assert found.shape[0] == 2
    assert np.array_equal(found[1], channels.counts(block.part(10, 20), RowMemory()))


def test_a_broken_answer_is_counted_as_broken_and_its_numbers_as_missing(channels: Channels) -> None:
    broken = Rows(np.zeros((1, 3)), np.array([[np.nan, 1.0]]))
    cells = dict(zip([c.name for c in channels.listed], channels.cells(broken, RowMemory())[0].tolist(), strict=True))
    axes = dict(zip([c.name for c in channels.listed], channels.grid.axes, strict=True))
    assert cells["broken"] == 2
    assert cells["top-1"] == axes["top-1"].inner + 2


def test_a_value_sent_as_a_double_falls_into_the_cell_of_its_single() -> None:
    single = np.float64(np.float32(0.1))
    schema = [FeatureSchema("x", "number", "float32")]
    found = Channels.fit(Rows(np.array([[0.0], [single], [single], [1.0]])), schema)
    assert found.cells(Rows(np.array([[0.1], [single]])), RowMemory())[:, 0].tolist() == [2, 2]


def test_without_answers_there_are_no_answer_channels() -> None:
    found = Channels.fit(Rows(rows(np.random.default_rng(1), 500).values_nd), FEATURES, OUTPUT)
    assert {channel.cause for channel in found.listed} == {"inputs"}


@pytest.mark.parametrize(
    "block", [Rows(np.zeros((1, 2)), np.zeros((1, 2))), Rows(np.zeros((1, 3)))], ids=["values", "scores"]
)
def test_rows_with_other_columns_are_refused(channels: Channels, block: Rows) -> None:
    with pytest.raises(ValueError, match="columns, the reference had"):
        channels.counts(block, RowMemory())


def test_a_reference_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="needs rows"):
        Channels.fit(Rows(np.empty((0, 3))), FEATURES)


def test_a_regressors_value_and_its_breaks_are_watched() -> None:
    rng = np.random.default_rng(1)
    output = OutputSchema("regression")
    found = Channels.fit(Rows(rng.normal(size=(500, 1)), rng.normal(size=(500, 1))), FEATURES[:1], output)
    assert [channel.name for channel in found.listed] == ["age", "value", "age, exact values", "broken"]
    assert found.cells(Rows(np.zeros((1, 1)), np.array([[np.inf]])), RowMemory())[0, -1] == 2


def test_of_many_probabilities_those_that_vary_most_are_watched() -> None:
    rng = np.random.default_rng(1)
    scores = rng.dirichlet(np.linspace(0.05, 5.0, 40), size=500)
    output = OutputSchema("classification", tuple(str(k) for k in range(40)))
    found = Channels.fit(Rows(rng.normal(size=(500, 1)), scores), FEATURES[:1], output)
    assert sum(channel.name.startswith("probability") for channel in found.listed) == 16
