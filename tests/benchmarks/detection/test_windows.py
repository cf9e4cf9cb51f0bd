"""Windows that are followed row by row have the statistics that their definitions give for each window by itself."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import cramervonmises_2samp  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.windows import cvm_rows, cvm_together_rows, median_distance, mmd_rows

WINDOW = 25

Floats = npt.NDArray[np.float64]


def drawn(seed: int, rows: int, shift: float = 0.0) -> Floats:
    """Return a number and a category, whose values tie."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(shift, 1.0, size=rows), rng.integers(4, size=rows)]).astype(np.float64)


def law_of(sample_n: Floats, at_m: Floats) -> Floats:
    return np.asarray((sample_n[None] <= at_m[:, None]).mean(axis=1))


@pytest.mark.parametrize("row", [WINDOW - 1, WINDOW, 40, 119])
@pytest.mark.parametrize("column", [0, 1])
def test_cramer_von_mises_is_that_of_the_last_rows_with_ties_and_without(row: int, column: int) -> None:
    reference, x = drawn(0, 300), drawn(1, 120, 0.4)
    found = cvm_rows(np.stack([drawn(2, 120), x]), reference, WINDOW)[1, row, column]
    window, known = x[row - WINDOW + 1 : row + 1, column], reference[:, column]
    both = np.concatenate([window, known])
    gaps = law_of(known, both) - law_of(window, both)
    assert found == pytest.approx(len(known) * WINDOW / len(both) ** 2 * (gaps**2).sum())
    if column == 0:
        assert found == pytest.approx(cramervonmises_2samp(window, known).statistic)


def test_windows_are_compared_after_their_own_spread_without_a_change() -> None:
    reference = np.random.default_rng(3).normal(size=(2000, 1))
    quiet = np.random.default_rng(4).normal(size=(400, 120, 1))
    for window in (25, 100):
        last = cvm_together_rows(quiet, reference, (window,))[:, -1]
        assert abs(last.mean()) < 0.25
        assert 0.7 < last.std() < 1.3
    together = cvm_together_rows(quiet, reference, (25, 100))
    assert np.isneginf(together[:, 23]).all()
    assert (together[:, -1] >= cvm_together_rows(quiet, reference, (100,))[:, -1]).all()


@pytest.mark.parametrize("row", [WINDOW - 1, WINDOW, 119])
def test_maximum_mean_discrepancy_is_that_of_the_last_rows(row: int) -> None:
    reference, x = drawn(5, 200), drawn(6, 120, 0.4)
    width = median_distance(reference)
    found = mmd_rows(np.stack([drawn(7, 120), x]), reference, WINDOW, width)[1, row]
    window = x[row - WINDOW + 1 : row + 1]

    def near(a_nd: Floats, b_md: Floats) -> Floats:
        return np.asarray(np.exp(-((a_nd[:, None] - b_md[None]) ** 2).sum(axis=2) / width))

    among = [(near(part, part).sum() - len(part)) / (len(part) * (len(part) - 1)) for part in (window, reference)]
    assert found == pytest.approx(sum(among) - 2.0 * near(window, reference).mean(), abs=1e-6)
