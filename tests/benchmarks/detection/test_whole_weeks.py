"""Counts drawn summary by summary give the evidence that rows give."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ks_2samp  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.nulls import Null, nulls
from benchmarks.detection.whole_weeks import SUMMARY_ROWS, cell_shares, drawn_counts, measure
from monitors.evidence.detector import EDetector
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory

REPLICAS, SUMMARIES = 300, 20


def family(name: str) -> Null:
    return next(null for null in nulls() if null.name == name)


@pytest.mark.parametrize("name", ["independent, 1 features", "categories"])
def test_evidence_has_the_same_law_from_rows_and_from_drawn_counts(name: str) -> None:
    null, rng = family(name), np.random.default_rng(1)
    model = EvidenceModel.fit(null.reference(rng, 20_000), null.features, null.output)
    rows = null.live(rng, REPLICAS * SUMMARIES * SUMMARY_ROWS)
    of_rows = model.channels.block_counts(rows, SUMMARY_ROWS, RowMemory())
    of_rows = of_rows.reshape(SUMMARIES, REPLICAS, *of_rows.shape[1:])
    shares_cb = cell_shares(model, null, rng, rows=500_000)
    drawn = np.stack(list(drawn_counts(rng, shares_cb, REPLICAS, SUMMARIES)))
    assert ks_2samp(_evidence(model, of_rows), _evidence(model, drawn)).pvalue > 0.05
    assert np.allclose(of_rows.mean(axis=(0, 1)), drawn.mean(axis=(0, 1)), atol=0.6)


def _evidence(model: EvidenceModel, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the e-detector of the first channel after all summaries, one for each replica."""
    detector = EDetector(model.table.weights_ck, (REPLICAS,))
    for counts_wcb in counts:
        detector.update(model.table.log_ratios(counts_wcb))
    return np.log(detector.sums_c()[:, 0])


def test_some_hours_at_one_page_a_week_are_silent() -> None:
    found = measure(family("independent, 1 features"), 0, 2, summaries=2000)
    assert found.pages == 0
    assert 0.0 < found.largest < 1.0
