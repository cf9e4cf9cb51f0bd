import numpy as np
import pytest

from monitors.evidence.likeness import difference

LAW = np.array([0.3, 0.3, 0.2, 0.1, 0.07, 0.03])
CHANCE = 0.01


def flagged(part_b: np.ndarray, seed: int, phi: float = 1.0, runs: int = 2_000) -> float:
    """Return how often a part of 2,000 rows of one law is told from 6,000 of another one, in runs of ``phi`` rows."""
    rng, length = np.random.default_rng(seed), int(phi)
    parts = length * rng.multinomial(2_000 // length, part_b, size=runs)
    rests = length * rng.multinomial(6_000 // length, LAW, size=runs)
    return float(np.mean([difference(part, rest, phi, CHANCE) > 1.0 for part, rest in zip(parts, rests, strict=True)]))


@pytest.mark.parametrize("phi", [1.0, 10.0])
def test_parts_of_one_law_are_told_apart_as_rarely_as_was_asked(phi: float) -> None:
    assert 0.003 < flagged(LAW, seed=1, phi=phi) < 0.02


def test_parts_that_differ_by_a_few_deviations_are_told_apart() -> None:
    moved = LAW + np.array([-0.06, 0.0, 0.0, 0.0, 0.0, 0.06])
    assert flagged(moved, seed=2) > 0.99


def test_runs_of_rows_are_no_news() -> None:
    rng = np.random.default_rng(3)
    part, rest = 20 * rng.multinomial(100, LAW), 20 * rng.multinomial(300, LAW)
    assert difference(part, rest, 1.0, CHANCE) > 1.0
    assert difference(part, rest, 20.0, CHANCE) <= 1.0


def test_a_value_that_only_one_part_knows_is_told() -> None:
    assert difference(np.array([1_000, 1_000, 60]), np.array([3_000, 3_000, 0]), 1.0, CHANCE) > 1.0


def test_rare_cells_count_together_and_not_at_all_where_they_are_too_few() -> None:
    rest = np.array([3_000, 3_000, 0, 0, 0, 0])
    assert difference(np.array([1_000, 1_000, 10, 10, 10, 10]), rest, 1.0, CHANCE) > 1.0
    assert difference(np.array([1_000, 1_000, 1, 1, 0, 0]), rest, 1.0, CHANCE) <= 1.0


@pytest.mark.parametrize(("part", "rest"), [([0, 0], [5, 5]), ([5, 5], [0, 0]), ([50, 0], [90, 0]), ([1, 2], [2, 1])])
def test_counts_that_tell_nothing_are_alike(part: list[int], rest: list[int]) -> None:
    assert difference(np.array(part), np.array(rest), 1.0, CHANCE) <= 1.0
