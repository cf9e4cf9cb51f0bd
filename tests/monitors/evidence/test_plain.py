"""The fast path against its definition, written down plainly: counts, log-ratios and components, bit for bit."""

import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.channels import Channels
from monitors.evidence.detector import LARGEST, LARGEST_STEP_NATS, EDetector
from monitors.evidence.grid import Axis
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from tests.monitors.evidence.material import model, rows

ODD = (np.nan, np.inf, -np.inf, 1e300, -0.0, 5e-324)


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model(4000)


def spoiled(rng: np.random.Generator, n: int) -> Rows:
    """Return rows and answers with odd numbers among them, and codes that nobody knows."""
    block = rows(rng, n)
    assert block.scores_nk is not None
    for table in (block.values_nd, block.scores_nk):
        at = rng.random(table.shape) < 0.1
        table[at] = rng.choice(ODD, size=int(at.sum()))
    block.values_nd[:, 2] = rng.choice([0.0, 1.0, 2.0, 3.0, 1e300, -1.0, np.nan], size=n)
    return block


def plain_cell(axis: Axis, value: float) -> int:
    """Return the cell of one value."""
    if np.isnan(value):
        return axis.inner + 2
    if not axis.is_category:
        return int(axis.cells[np.count_nonzero(axis.edges <= value)])
    return int(axis.cells[int(np.floor(min(max(value, -1.0), len(axis.edges) - 1.0))) + 1])


def plain_counts(channels: Channels, block: Rows) -> npt.NDArray[np.int64]:
    """Return counts, one value after the other."""
    counts_cb = np.zeros((channels.grid.channels, channels.grid.width), dtype=np.int64)
    for row_c in channels.values(block):
        for c, (axis, value) in enumerate(zip(channels.grid.axes, row_c.tolist(), strict=True)):
            counts_cb[c, plain_cell(axis, value)] += 1
    return counts_cb


@pytest.mark.parametrize("n", [0, 1, 7, 32, 200])
def test_counts_are_those_of_one_value_after_the_other(fitted: EvidenceModel, n: int) -> None:
    block = spoiled(np.random.default_rng(n), n)
    found = fitted.channels.counts(block, RowMemory())
    assert found.dtype == np.int64
    assert np.array_equal(found, plain_counts(fitted.channels, block))


def test_what_a_row_is_counted_as_does_not_depend_on_the_others(fitted: EvidenceModel) -> None:
    block = spoiled(np.random.default_rng(3), 100)
    each = np.concatenate([fitted.channels.values(block.part(i, i + 1)) for i in range(100)])
    assert np.array_equal(fitted.channels.values(block), each, equal_nan=True)


def test_evidence_grows_as_its_recursion_says(fitted: EvidenceModel) -> None:
    weights_ck, rng = fitted.table.weights_ck, np.random.default_rng(4)
    detector, sums, mixture = EDetector(weights_ck), np.zeros_like(weights_ck), np.zeros_like(weights_ck)
    for t in range(1, 40):
        nats_ck = fitted.table.log_ratios(fitted.channels.counts(spoiled(rng, 10), RowMemory())) + 30.0 * (t > 20)
        ratios_ck = np.exp(np.minimum(nats_ck, LARGEST_STEP_NATS))
        sums = np.minimum(ratios_ck * (sums + weights_ck), LARGEST)
        mixture = np.minimum(ratios_ck * (mixture + weights_ck * (1.0 / (t * (t + 1.0)))), LARGEST)
        detector.update(nats_ck)
    state = detector.state()["components"]
    assert np.array_equal(state[0], sums)
    assert np.array_equal(state[1], mixture)
    assert sums.max() == LARGEST


def test_values_near_the_largest_double_are_counted_without_a_warning(fitted: EvidenceModel) -> None:
    far = Rows(np.array([[1e308, -1e308, 0.0], [-1.7e308, 5e-324, 1.0]]), np.array([[0.5, 0.5]] * 2))
    assert fitted.channels.counts(far, RowMemory()).sum() == 2 * fitted.channels.grid.channels


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 4, 1)])
def test_rows_of_another_shape_are_refused(fitted: EvidenceModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the reference had 3 feature columns"):
        fitted.channels.counts(Rows(np.zeros(shape), np.full((3, 2), 0.5)), RowMemory())


def test_rows_in_single_precision_are_counted_as_doubles(fitted: EvidenceModel) -> None:
    block = rows(np.random.default_rng(6), 50)
    single = Rows(block.values_nd.astype(np.float32), block.scores_nk)
    double = Rows(single.values_nd.astype(np.float64), block.scores_nk)
    found, expected = (fitted.channels.counts(each, RowMemory()) for each in (single, double))
    assert np.array_equal(found, expected)
