import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.dependence import dependence, row_nats, run_bets
from monitors.evidence.grid import Grid, category_axis, number_axis


def phi(values: npt.NDArray[np.float64]) -> float:
    axis = number_axis(values)
    return dependence(axis, Grid([axis]).positions(values[:, None])[:, 0])


@pytest.mark.parametrize("seed", range(5))
def test_independent_rows_pay_nothing(seed: int) -> None:
    assert phi(np.random.default_rng(seed).normal(size=20_000)) == 1.0


def test_autocorrelated_rows_pay_their_variance_inflation() -> None:
    noise = np.random.default_rng(0).normal(size=20_000)
    rows = np.zeros_like(noise)
    for t in range(1, len(rows)):
        rows[t] = 0.5 * rows[t - 1] + noise[t]
    assert 3.0 < phi(rows) < 5.0


def test_clients_that_repeat_themselves_pay_twice_the_length_of_their_runs() -> None:
    rng = np.random.default_rng(0)
    client = np.cumsum(rng.random(20_000) < 1 / 17)
    assert 33.0 < phi(rng.normal(size=client[-1] + 1)[client]) < 70.0


def test_a_season_is_seen_by_long_blocks() -> None:
    rng = np.random.default_rng(0)
    assert phi(rng.normal(size=50_000) + 0.5 * np.sin(np.arange(50_000) / 300)) > 20.0


def test_categories_are_judged_by_their_shares() -> None:
    codes = np.random.default_rng(0).integers(3, size=20_000).astype(float)
    axis = category_axis(codes, 3)
    cells = Grid([axis]).positions(codes[:, None])[:, 0]
    assert dependence(axis, cells) == 1.0
    assert dependence(axis, np.sort(cells)) > 100.0


def test_a_constant_channel_has_nothing_to_pay() -> None:
    assert phi(np.full(20_000, 3.0)) == 1.0


@pytest.mark.parametrize("mean_rows", [1.5, 3.0, 17.0, 100.0])
def test_a_client_that_repeats_its_row_a_geometric_number_of_times_is_a_fair_bet(mean_rows: float) -> None:
    reference = np.array([0.7, 0.25, 0.05])
    ratios = run_bets(np.array([[0.3, 1.5, 8.0]]), 2.0 * mean_rows - 1.0)
    fair = ratios / (ratios @ reference)[:, None]
    nats = row_nats(fair, 2.0 * mean_rows - 1.0)[0]
    lengths = np.arange(1, 200_000)[:, None]
    log_chances = (lengths - 1) * np.log1p(-1.0 / mean_rows) - np.log(mean_rows)
    mean = float((np.exp(log_chances + nats * lengths).sum(axis=0) * reference).sum())
    assert mean == pytest.approx(1.0)


def test_no_run_adds_more_than_its_length_can_bear() -> None:
    """However large the ratio, e^a (1 - 1 / mean) stays below one: the mean over runs is finite."""
    nats = row_nats(run_bets(np.array([[1e6]]), 33.0), 33.0)
    assert float(np.exp(nats.max())) * (1.0 - 1.0 / 17.0) < 1.0
