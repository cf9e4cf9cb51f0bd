"""Small seeded versions of the budget benchmark: realised pages stay below the promise of ten per 100,000 rows."""

import pytest

from benchmarks.detection.budget import weir_pages
from benchmarks.detection.nulls import Null, nulls

SMALL = (
    "independent, 5 features",
    "heavy tails (Student 1.5)",
    "categories",
    "autocorrelation 0.5",
    "bursty clients, alike",
    "bursty clients, identical rows",
    "daily season",
    "traffic up and down a hundredfold",
    "shift exactly at the tolerance",
)


@pytest.mark.parametrize("null", [null for null in nulls() if null.name in SMALL], ids=lambda null: null.name)
def test_the_promise_is_kept(null: Null) -> None:
    assert weir_pages(null, 2, live_rows=10_000).pages <= 2
