import numpy as np
import numpy.typing as npt
import pytest

from monitors.evidence.alternatives import alternatives
from monitors.evidence.grid import Axis, Grid, category_axis, number_axis

RNG_SEED = 3


def axes() -> dict[str, tuple[Axis, npt.NDArray[np.float64]]]:
    rng = np.random.default_rng(RNG_SEED)
    columns = {
        "normal": rng.normal(size=2000),
        "heavy": rng.standard_cauchy(size=2000),
        "zeros": np.where(rng.random(2000) < 0.6, 0.0, rng.normal(size=2000)),
        "few": rng.integers(4, size=2000).astype(float),
        "constant": np.full(2000, 7.0),
        "absent": np.full(2000, np.nan),
    }
    found = {name: (number_axis(column), column) for name, column in columns.items()}
    for size in (1, 2, 5, 60):
        codes = rng.integers(size, size=2000).astype(float)
        found[f"{size} categories"] = (category_axis(codes, size), codes)
    return found


@pytest.mark.parametrize("name", list(axes()))
def test_every_alternative_is_a_law_and_weights_sum_to_one(name: str) -> None:
    axis, column = axes()[name]
    counts = Grid([axis]).counts(column[:, None])[0] + 0.5
    reference_b = counts / counts.sum()
    found = alternatives(axis, reference_b)
    assert np.allclose(found.laws_kb.sum(axis=1), 1.0)
    assert (found.laws_kb > 0).all()
    assert found.weights_k.sum() == pytest.approx(1.0)
    assert found.laws_kb.shape == (len(found.weights_k), axis.size)


def test_shifts_move_the_mean_rank_up_and_down() -> None:
    axis, column = axes()["normal"]
    counts = Grid([axis]).counts(column[:, None])[0] + 0.5
    laws_kb = alternatives(axis, counts / counts.sum()).laws_kb
    centres = laws_kb[:10] @ np.arange(axis.size)
    assert (np.diff(centres[0::2]) > 0).all()
    assert (np.diff(centres[1::2]) < 0).all()
