"""Cells at their edges."""

import numpy as np
import pytest

from monitors.cells import Cells, cells_for


def test_quantile_cells_take_their_lower_edge_and_the_maximum_stays_inside() -> None:
    cells = Cells("quantiles", (0.0, 1.0, 2.0))
    values_n = np.array([-0.1, 0.0, 0.9, 1.0, 2.0, 2.1, np.inf, -np.inf, np.nan])
    assert cells.index(values_n).tolist() == [0, 1, 1, 2, 2, 3, 3, 0, 4]


def test_codes_outside_the_contract_are_unseen() -> None:
    cells = Cells("categories", categories=("a", "b"))
    assert cells.index(np.array([0.0, 1.0, 2.0, -1.0, np.nan])).tolist() == [1, 2, 5, 5, 4]


def test_heavy_ties_make_fewer_quantile_cells() -> None:
    cells = cells_for(np.concatenate([np.zeros(900), np.arange(100.0)]))
    assert cells.kind == "quantiles"
    assert cells.inner < 16
    assert cells.count(np.zeros(3)).tolist()[1] == 3


@pytest.mark.parametrize("kind", ["quantiles", "values"])
def test_labels_name_every_cell(kind: str) -> None:
    cells = Cells("quantiles" if kind == "quantiles" else "values", (0.0, 0.5, 1.0))
    assert len(cells.labels()) == cells.size


def test_the_median_is_interpolated_between_edges() -> None:
    cells = Cells("quantiles", (0.0, 10.0, 20.0))
    assert cells.centre([0, 10, 30, 0, 0, 0]) == "median 13.33"
    assert cells.centre([9, 0, 0, 0, 0, 0]) == "median below 0"
    assert cells.centre([0, 0, 0, 0, 5, 0]) == "no value"
    assert Cells("categories", categories=("a", "b")).centre([0, 1, 2, 0, 0, 0]) == "mode b"
