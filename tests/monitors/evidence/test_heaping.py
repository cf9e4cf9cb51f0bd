"""Values that gather on a few exact numbers: found by their bits where the cells of their quantiles hardly move."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from monitors.drift_monitor import DriftMonitor
from monitors.evidence.budget import Budget
from monitors.evidence.heaping import GROUPS, heap_groups
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

Floats = npt.NDArray[np.float64]

SCHEMA = [FeatureSchema(name, "number", "float64") for name in "ab"]


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return EvidenceModel.fit(Rows(np.random.default_rng(0).normal(size=(20_000, 2))), SCHEMA)


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        pytest.param(lambda x: np.minimum(x, 1.3), 50, 900, id="capped-at-the-upper-tenth"),
        pytest.param(lambda x: np.clip(x, -1.0, 1.0), 10, 200, id="clipped-at-both-ends"),
        pytest.param(lambda x: np.rint(2 * x) / 2, 10, 250, id="rounded-to-halves"),
        pytest.param(lambda x: np.rint(x / 0.3) * 0.3, 10, 250, id="rounded-to-a-grid-that-is-no-binary-fraction"),
    ],
)
def test_values_that_gather_page_and_are_told_as_such(
    fitted: EvidenceModel, change: Callable[[Floats], Floats], least: int, most: int
) -> None:
    values = np.random.default_rng(1).normal(size=(2_000, 2))
    values[:, 0] = change(values[:, 0])
    found = DriftMonitor(fitted, budget=Budget(rows_between_false_pages=100_000)).update(Rows(values))
    page = next(finding for finding in found if finding.level == "page")
    assert least <= page.row <= most
    told = next(driver for driver in page.drivers if driver.name == "a, exact values")
    assert told.before == "as in the reference"
    assert told.after.startswith("gathered as if ")


def test_a_change_of_representation_alone_is_no_change(fitted: EvidenceModel) -> None:
    values = np.random.default_rng(2).normal(size=(5_000, 2)).astype(np.float32).astype(np.float64)
    assert not DriftMonitor(fitted, budget=Budget(rows_between_false_pages=1_000_000)).update(Rows(values))


def test_a_reference_that_gathers_itself_is_normal() -> None:
    def prices(seed: int, n: int) -> Floats:
        rng = np.random.default_rng(seed)
        exact = rng.normal(size=n)
        return np.column_stack([np.where(rng.random(n) < 0.3, np.rint(exact * 4) / 4, exact), rng.normal(size=n)])

    monitor = DriftMonitor.fit(Rows(prices(0, 20_000)), SCHEMA, budget=Budget(rows_between_false_pages=1_000_000))
    assert not monitor.update(Rows(prices(1, 5_000)))


def test_few_values_have_cells_of_their_own_and_no_channel_beside_them() -> None:
    values = np.column_stack([np.arange(2_000) % 12, np.arange(2_000) % 13]).astype(np.float64)
    listed = EvidenceModel.fit(Rows(values), SCHEMA).channels.listed
    assert [channel.name for channel in listed if channel.is_heaping] == ["b, exact values"]


def test_every_group_gets_its_share_of_values_of_any_law() -> None:
    rng = np.random.default_rng(3)
    laws = np.column_stack([rng.normal(size=64_000), rng.exponential(1e-6, 64_000), rng.standard_t(1.5, 64_000) * 1e9])
    for groups in heap_groups(laws).T:
        counts = np.bincount(groups.astype(np.int64), minlength=GROUPS)
        assert np.abs(counts - 4_000).max() < 5 * np.sqrt(4_000)


def test_missing_and_infinite_values_are_counted_like_any_others(fitted: EvidenceModel) -> None:
    odd = np.array([[np.nan, 1.0], [np.inf, -np.inf], [-0.0, 0.0]])
    counts = fitted.channels.counts(Rows(odd), RowMemory())
    assert (counts.sum(axis=1) == 3).all()
    assert np.array_equal(heap_groups(odd[2]), np.repeat(heap_groups(np.zeros(1)), 2))
