import numpy as np
import pytest

from monitors.evidence.repeats import RowMemory
from monitors.evidence.table import Allowance, build_table
from tests.monitors.evidence.material import model, rows


def test_a_summary_weighs_what_its_rows_weigh() -> None:
    fitted = model(2000)
    block = rows(np.random.default_rng(0), 40)
    whole = fitted.table.log_ratios(fitted.channels.counts(block, RowMemory()))
    each = fitted.table.log_ratios(fitted.channels.block_counts(block, 1, RowMemory()))
    assert np.allclose(whole, each.sum(axis=0))


def test_every_bet_is_fair_under_the_reference_itself() -> None:
    table = model(2000).table
    means = (np.exp(table.nats_cbk) * table.reference_cb[:, :, None]).sum(axis=1)
    assert means[table.weights_ck > 0].max() <= 1.0


def test_a_small_reference_allows_less_than_a_large_one() -> None:
    fitted = model(2000)
    counts, phi = fitted.counts_cb, fitted.phi_c
    small = build_table(fitted.channels.grid, counts, phi, Allowance())
    large = build_table(fitted.channels.grid, counts * 50, phi, Allowance())
    assert np.abs(large.nats_cbk).max() > np.abs(small.nats_cbk).max()


def test_dependence_weakens_every_row() -> None:
    fitted = model(2000)
    grid, counts = fitted.channels.grid, fitted.counts_cb
    free = build_table(grid, counts, np.ones(grid.channels), Allowance())
    bound = build_table(grid, counts, np.full(grid.channels, 5.0), Allowance())
    assert bound.nats_cbk.max() < free.nats_cbk.max() / 4


@pytest.mark.parametrize("wrong", [{"tolerance": 0.6}, {"rare_tolerance": -0.1}, {"delta": 0.0}])
def test_an_allowance_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="tolerances are in"):
        Allowance(**wrong)


def test_a_channel_without_a_useful_bet_has_no_weight_and_does_no_harm() -> None:
    fitted = model(2000)
    grid = fitted.channels.grid
    table = build_table(grid, fitted.counts_cb * 0, np.ones(grid.channels), Allowance())
    assert np.isfinite(table.nats_cbk).all()
    assert np.isfinite(table.weights_ck).all()


def test_more_doubt_bets_less_and_once_the_doubt_changes_no_bit() -> None:
    fitted = model(20_000)
    grid, counts, phi = fitted.channels.grid, fitted.counts_cb, fitted.phi_c
    once = build_table(grid, counts, phi, Allowance(), doubt_c=np.ones(grid.channels))
    assert once.nats_cbk.tobytes() == fitted.table.nats_cbk.tobytes()
    doubting = build_table(grid, counts, phi, Allowance(), doubt_c=np.full(grid.channels, 7.0))
    assert doubting.nats_cbk.max() < once.nats_cbk.max()
