from dataclasses import replace

import numpy as np

from benchmarks.detection.baseline_rows import Accepted, accept, baseline_rows_section, moved, realised, segmented
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel

HELD = Accepted("calm", 7_000, 0, "baseline", 1.0, 0.93, 2.0, 0)


def test_a_family_and_length_is_a_row_of_sums() -> None:
    refused = replace(HELD, seed=2, level="uncalibrated", weeks=0.0)
    said = baseline_rows_section([HELD, replace(HELD, seed=1, pages=1), refused, replace(refused, rows=20_000)])
    assert "| calm | 7,000 | 3 | 2 | 1 | 4 | 1 | 1.19 |" in said
    assert "| calm | 20,000 | 1 | 0 |  |  |  |  |" in said


def test_a_baseline_is_accepted_and_watched() -> None:
    found = accept(segmented(), "plan", 7_000, seed=0, weeks=0.001, budget=Budget(pages_per_week=2_000))
    assert (found.level, found.weeks, found.pages) == ("baseline", 0.001, 0)


def test_live_rows_that_are_not_like_the_baseline_page() -> None:
    steady, elsewhere = moved(0.0), moved(1.0)
    rng = np.random.default_rng(0)
    model = EvidenceModel.fit(steady.reference(rng, 6_000), steady.features)
    budget = Budget(rows_between_false_pages=10_000)
    assert realised(model, budget, steady, rng, 800) == 0
    assert realised(model, budget, elsewhere, rng, 800) > 0
