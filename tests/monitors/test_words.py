"""What moved, in words: the two texts differ whenever anything did."""

import numpy as np
import numpy.typing as npt
import pytest

from monitors.cells import Cells
from monitors.words import change_in_words, numbers_apart, shares_apart

BINARY = Cells("values", (0.0, 1.0))
QUANTILES = Cells("quantiles", tuple(float(x) for x in range(17)))
COLOURS = Cells("categories", categories=("red", "green", "blue"))


def of_quantiles(inner: list[int], *, above: int = 0) -> npt.NDArray[np.int64]:
    """Return counts over sixteen cells and their frame."""
    return np.array([0, *inner, above, 0, 0])


@pytest.mark.parametrize(
    ("cells", "before", "after", "told"),
    [
        pytest.param(
            BINARY, [0, 90, 10, 0, 0, 0], [0, 30, 70, 0, 0, 0], ("median 0", "median 1"), id="a-median-that-moved"
        ),
        pytest.param(
            BINARY, [0, 40, 60, 0, 0, 0], [0, 10, 90, 0, 0, 0], ("60 % are 1", "90 % are 1"), id="a-share-of-few-values"
        ),
        pytest.param(
            BINARY, [0, 40, 60, 0, 0, 0], [0, 40, 60, 0, 900, 0], ("missing 0 %", "missing 90 %"), id="missing-grew"
        ),
        pytest.param(
            BINARY, [0, 40, 60, 0, 100, 0], [0, 40, 60, 0, 0, 0], ("missing 50 %", "missing 0 %"), id="missing-fell"
        ),
        pytest.param(
            BINARY, [0, 40, 60, 0, 0, 0], [0, 1, 0, 0, 0, 99], ("unseen 0 %", "unseen 99 %"), id="hardly-any-known"
        ),
        pytest.param(
            COLOURS, [0, 70, 20, 10, 0, 0, 0], [0, 60, 10, 30, 0, 0, 0], ("10 % are blue", "30 % are blue"), id="code"
        ),
        pytest.param(
            COLOURS, [0, 70, 20, 10, 0, 0, 0], [0, 10, 40, 50, 0, 0, 0], ("70 % are red", "10 % are red"), id="lost"
        ),
    ],
)  # fmt: skip
def test_what_moved_most_is_told(cells: Cells, before: list[int], after: list[int], told: tuple[str, str]) -> None:
    assert change_in_words(cells, np.array(before), np.array(after)) == told


def test_a_spread_is_told_by_a_quantile_that_moved() -> None:
    before, after = of_quantiles([100] * 16), of_quantiles([30] * 6 + [310] * 4 + [30] * 6)
    told = change_in_words(QUANTILES, before, after)
    assert told[0] != told[1]
    assert all("percentile" in text for text in told)


def test_a_shift_is_told_by_the_median_and_a_tail_by_its_percentile() -> None:
    before = of_quantiles([100] * 16)
    shifted = of_quantiles([0] * 4 + [100] * 8 + [200] * 4)
    assert change_in_words(QUANTILES, before, shifted)[0].startswith("median 8")
    tail = of_quantiles([100] * 14 + [50] * 2, above=100)
    assert change_in_words(QUANTILES, before, tail) == ("95th percentile 15.2", "95th percentile above 16")


def test_numbers_that_three_digits_do_not_tell_apart_get_more() -> None:
    assert numbers_apart(1_764_000_100.0, 1_764_000_900.0) == ("1.764e+09", "1.764001e+09")
    assert numbers_apart(39.97, 41.2) == ("40", "41.2")
    assert shares_apart(0.1004, 0.1041) == ("10 %", "10.4 %")
    assert shares_apart(0.25, 0.25) == ("25 %", "25 %")


@pytest.mark.parametrize(
    "cells", [BINARY, QUANTILES, COLOURS, Cells("values", tuple(float(x) for x in range(30)))], ids=lambda c: c.kind
)
def test_whatever_moved_the_two_texts_differ(cells: Cells) -> None:
    rng = np.random.default_rng(5)
    for _ in range(400):
        law = rng.dirichlet(np.full(cells.size, 0.5))
        before = rng.multinomial(2000, law)
        other = rng.dirichlet(np.full(cells.size, 0.5)) * 0.02 + 0.98 * law
        after = rng.multinomial(800, other)
        before[cells.unseen] = after[cells.unseen] = 0
        told = change_in_words(cells, before, after)
        assert told[0] != told[1], (before.tolist(), after.tolist())


@pytest.mark.parametrize(
    ("name", "told"),
    [("", "empty text"), ("x" * 5_000, f"{'x' * 87}~")],
    ids=["an-empty-text", "thousands-of-characters"],
)
def test_a_category_is_told_by_a_name_that_is_neither_empty_nor_long(name: str, told: str) -> None:
    cells = Cells("categories", categories=("red", name))
    before, after = change_in_words(cells, np.array([0, 90, 10, 0, 0, 0]), np.array([0, 10, 90, 0, 0, 0]))
    for text, words in ((before, "10 % are "), (after, "90 % are "), (cells.centre([0, 1, 9, 0, 0, 0]), "mode ")):
        assert text.startswith(f"{words}{told}")
        assert len(text) <= len(words) + 100
