"""Distances in words: what no reference profile knows is told in the reference's ranks."""

import numpy as np
import pytest

from monitors.evidence.repeats import RowMemory
from monitors.live.distances import Distances
from tests.monitors.evidence.material import model, rows


@pytest.mark.parametrize(
    ("shift", "spread", "quantile"),
    [pytest.param(3.0, 1.0, "median", id="shift"), pytest.param(0.0, 4.0, "percentile", id="spread")],
)
def test_the_quantile_that_moved_furthest_is_told(shift: float, spread: float, quantile: str) -> None:
    fitted = model(4000)
    c = [channel.name for channel in fitted.channels.listed].index("component 1")
    block = rows(np.random.default_rng(3), 2000)
    block.values_nd[:, :2] = spread * block.values_nd[:, :2] + shift
    distances, counts_cb = Distances(fitted), fitted.channels.counts(block, RowMemory())
    before, after = distances.in_ranks(c, counts_cb[c])
    assert quantile in before
    assert before.split(" at ")[1] not in after
    assert distances.in_ranks(c, np.zeros_like(counts_cb[c])) == ("a value", "no value")
