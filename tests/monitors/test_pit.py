"""A regression's answers in the reference's distribution: where they lie, and whether they still vary."""

import numpy as np
import numpy.typing as npt
import pytest

from monitors.assessment import assess
from monitors.causes import Reading, readings
from monitors.pit import Position
from monitors.quality import FaultRates
from monitors.records import FeatureSchema, Observation, OutputSchema, StreamInfo, StreamKey
from monitors.reference import build_profile
from monitors.summary import Layout, summarise
from monitors.thresholds import Thresholds

Floats = npt.NDArray[np.float64]
FEATURES, OUTPUT = (FeatureSchema("x", "number", "float64"),), OutputSchema("regression")
ROWS = np.random.default_rng(1).normal(size=(4_000, 1))
INFO = StreamInfo("m", "1", "d", FEATURES, OUTPUT)
LAYOUT = Layout.of(INFO, build_profile(FEATURES, OUTPUT, ROWS, np.full(4_000, -1), 3.0 * ROWS + 10.0))


def judged(values_nd: Floats, answers_n: Floats, layout: Layout = LAYOUT) -> tuple[Position | None, Reading | None]:
    """Return position and reading of a window."""
    n = len(values_nd)
    observation = Observation(
        StreamKey("m", "1", "d", "stable"), "w", 1, 1.0, ("",) * n, np.full(n, 1000.0), np.zeros(n, dtype=np.uint64),
        values_nd, np.full(n, -1, dtype=np.int32), answers_n[:, None], np.zeros(n, dtype=np.float32),
        np.zeros(n, dtype=np.uint16),
    )  # fmt: skip
    found = assess(layout, summarise(layout, observation, 2000)[1_000_000].cells, n)
    return found.position, readings(found, FaultRates(0), Thresholds()).get("confidence-collapse")


def normal(seed: int, n: int) -> Floats:
    """Return unchanged inputs."""
    return np.random.default_rng(seed).normal(size=(n, 1))


def test_unchanged_answers_lie_in_the_middle_with_the_references_spread() -> None:
    values_nd = normal(2, 2_000)
    found, reading = judged(values_nd, 3.0 * values_nd[:, 0] + 10.0)
    assert found is not None
    assert found.mean == pytest.approx(0.5, abs=0.02)
    assert found.spread == pytest.approx(1.0, abs=0.03)
    assert not found.is_constant
    assert reading is not None
    assert reading.excess == 0.0


def test_higher_answers_lie_higher_whatever_their_unit() -> None:
    values_nd = normal(2, 500)
    found, _ = judged(values_nd, 3.0 * values_nd[:, 0] + 13.0)
    assert found is not None
    assert found.mean > 0.7


def test_the_lost_spread_of_unchanged_answers_stays_within_its_noise() -> None:
    beyond = 0
    for seed in range(300):
        values_nd = normal(seed, 200)
        found, _ = judged(values_nd, 3.0 * values_nd[:, 0] + 10.0)
        assert found is not None
        beyond += found.narrowed().excess > 0.0
    assert beyond <= 9


@pytest.mark.parametrize("value", [10.0, 4.0, 99.0])
def test_a_constant_answer_pages_and_is_named(value: float) -> None:
    found, reading = judged(normal(3, 300), np.full(300, value))
    assert found is not None
    assert found.is_constant
    assert reading is not None
    assert reading.excess >= reading.page
    assert "constant-output" in found.narrowed().after


def test_narrower_answers_to_narrower_inputs_only_warn() -> None:
    values_nd = 0.2 * normal(4, 1_000)
    found, reading = judged(values_nd, 3.0 * values_nd[:, 0] + 10.0)
    assert found is not None
    assert found.spread < 0.4
    assert reading is not None
    assert reading.warn <= reading.excess < reading.page


def test_without_a_reference_that_varies_there_is_no_position() -> None:
    constant = Layout.of(INFO, build_profile(FEATURES, OUTPUT, ROWS, np.full(4_000, -1), np.full((4_000, 1), 7.0)))
    assert judged(normal(5, 100), np.full(100, 7.0), constant)[0] is None
    assert judged(normal(5, 100), np.full(100, 7.0), Layout.of(INFO, None))[0] is None
    assert judged(normal(5, 100), np.full(100, np.nan))[0] is None
