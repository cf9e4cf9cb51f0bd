import numpy as np
import pytest

from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.ticks import TickCutter, Ticks, counts_between
from tests.monitors.evidence.material import model, rows


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model(2000)


def absolute_ends(ticks: Ticks, times: np.ndarray, batches: list[int]) -> list[int]:
    """Return where summaries end over all batches, in rows since the start."""
    cutter, found, start = TickCutter(ticks), list[int](), 0
    for size in batches:
        found += [start + end for end in cutter.ends(size, times[start : start + size])]
        start += size
    return found


@pytest.mark.parametrize(
    "ticks",
    [
        pytest.param(Ticks(7), id="rows"),
        pytest.param(Ticks(4, 1.0), id="seconds"),
        pytest.param(Ticks(1, 0.25), id="short-seconds"),
    ],
)
def test_summaries_end_at_the_same_rows_whatever_the_batches(ticks: Ticks) -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.exponential(0.3, size=400))
    whole = absolute_ends(ticks, times, [400])
    assert len(whole) > 20
    assert absolute_ends(ticks, times, [1] * 400) == whole
    assert absolute_ends(ticks, times, [3, 0, 97, 300]) == whole


def test_a_summary_of_seconds_ends_with_the_second_that_gives_it_enough_rows() -> None:
    times = np.array([0.1, 0.9, 1.2, 2.0, 2.1, 2.9, 3.5])
    assert TickCutter(Ticks(3, 1.0)).ends(7, times) == [3, 6]


def test_a_row_that_is_late_counts_as_of_the_newest_time() -> None:
    times = np.array([0.1, 1.0, 0.2, 1.5, 2.0])
    assert TickCutter(Ticks(1, 1.0)).ends(5, times) == [1, 4]


def test_what_is_left_is_a_summary_only_with_enough_rows() -> None:
    cutter = TickCutter(Ticks(5, 1.0))
    cutter.ends(4, np.zeros(4))
    assert not cutter.finish()
    cutter.ends(5, np.zeros(5))
    assert cutter.finish()


@pytest.mark.parametrize("times", [None, np.zeros(2), np.array([0.0, np.nan, 1.0])])
def test_ticks_of_seconds_need_a_time_for_each_row(times: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="need a finite time for each of the 3 rows"):
        TickCutter(Ticks(1, 1.0)).ends(3, times)


@pytest.mark.parametrize(("rows_", "seconds"), [(0, None), (1, 0.0), (1, float("nan"))])
def test_ticks_have_a_length(rows_: int, seconds: float | None) -> None:
    with pytest.raises(ValueError, match="not"):
        Ticks(rows_, seconds)


def test_counts_between_ends_are_those_of_the_parts(fitted: EvidenceModel) -> None:
    block = rows(np.random.default_rng(4), 50, missing=0.2)
    parts = counts_between(fitted.channels, block, [0, 10, 35], RowMemory())
    expected = [fitted.channels.counts(block.part(a, b), RowMemory()) for a, b in ((0, 0), (0, 10), (10, 35), (35, 50))]
    assert np.array_equal(parts, expected)
