"""Cells found for all features together are those found feature by feature."""

import numpy as np
import pytest

from monitors.cell_grid import CellGrid
from monitors.cells import Cells

QUANTILES = [
    Cells("quantiles", (0.0, 0.5, 1.0, 2.0)),
    Cells("quantiles", (-1.0, 0.1, 0.2)),
    Cells("quantiles", (0.25, 0.75)),
]
SINGLES = [Cells("quantiles", (0.0, float(np.float32(0.1)), 1.0), precision="float32")]
OTHERS = [Cells("values", (0.0, 0.5)), Cells("categories", categories=("a", "b")), Cells("any")]
AWKWARD = [0.0, -0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 2.1, -1.0, -1.1, 1e300, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param(QUANTILES, id="quantiles of one precision"),
        pytest.param([*OTHERS, *QUANTILES, *SINGLES], id="every kind"),
        pytest.param(OTHERS, id="no quantiles"),
        pytest.param([], id="no features"),
    ],
)
def test_every_value_falls_into_the_cell_of_its_feature(cells: list[Cells]) -> None:
    rng = np.random.default_rng(1)
    values_nd = np.concatenate([np.tile(np.array(AWKWARD)[:, None], len(cells)), rng.normal(size=(200, len(cells)))])
    apart_nd = np.array([each.index(column) for each, column in zip(cells, values_nd.T, strict=True)])
    found_nd = CellGrid(cells).index(values_nd)
    assert (found_nd.shape, found_nd.dtype.name) == (values_nd.shape, "int64")
    assert found_nd.T.tolist() == apart_nd.tolist()
    assert CellGrid(cells).index(values_nd[:0]).shape == (0, len(cells))
