"""Is one false page a week kept over whole weeks?

    python -m benchmarks.detection.whole_weeks [--references 3] [--weeks 2] [--only NAME] [--full]

Claim: with its default configuration, Weir pages at most once a week in the mean at 100 rows a second.

A week of rows is 60 million; drawn here are the counts of its 604,800 summaries, from the cell shares of two million
rows of the same law. Counts of independent rows are multinomial in each channel, so that a channel's evidence has the
law that rows give it (a test compares the two). Channels are drawn independently of each other; the promise holds
whatever their dependence.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.nulls import Null, nulls
from monitors.evidence.budget import Budget
from monitors.evidence.detector import EDetector
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory

__all__ = ["FAMILIES", "WholeWeeks", "cell_shares", "drawn_counts", "measure", "upper_rate"]

FAMILIES = (
    "independent, 1 features",
    "independent, 5 features",
    "independent, 30 features",
    "heavy tails (Student 1.5)",
    "categories",
    "shift exactly at the tolerance",
)
REFERENCE_ROWS = 20_000
LAW_ROWS, PART_ROWS = 2_000_000, 50_000
SUMMARY_ROWS, WEEK_SUMMARIES = 100, 604_800
DRAWN_SUMMARIES = 400

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WholeWeeks:
    """False pages over weeks behind one reference."""

    null: str
    reference: int
    weeks: int
    pages: int
    largest: float


def main() -> None:
    """Measure all families; one line of JSON for each reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=3)
    parser.add_argument("--weeks", type=int, default=2)
    parser.add_argument("--only", default="", help="one family")
    parser.add_argument("--full", action="store_true", help="four times as many references")
    arguments = parser.parse_args()
    references = arguments.references * (4 if arguments.full else 1)
    for null in nulls():
        if null.name in FAMILIES and arguments.only in ("", null.name):
            for reference in range(references):
                print(json.dumps(asdict(measure(null, reference, arguments.weeks))), flush=True)


def measure(null: Null, reference: int, weeks: int, summaries: int = WEEK_SUMMARIES) -> WholeWeeks:
    """Return the pages of some weeks behind one reference, and the evidence that came nearest to its threshold."""
    rng = np.random.default_rng([12, reference])
    model = EvidenceModel.fit(null.reference(rng, REFERENCE_ROWS), null.features, null.output)
    thresholds = Budget().thresholds(model.causes)
    is_of_ck = np.array([[channel.cause == cause for cause in model.causes] for channel in model.channels.listed])
    scaled_ck = is_of_ck * model.channel_weights()[:, None] / np.array([thresholds[cause] for cause in model.causes])
    detector, pages, largest = EDetector(model.table.weights_ck, (weeks,)), 0, 0.0
    for counts_cb in drawn_counts(rng, cell_shares(model, null, rng), weeks, summaries):
        detector.update(model.table.log_ratios(counts_cb))
        levels_w = (detector.sums_c() @ scaled_ck).max(axis=1)
        largest = max(largest, float(levels_w.max()))
        if largest >= 1.0 and (levels_w >= 1.0).any():
            pages += int((levels_w >= 1.0).sum())
            detector.reset(levels_w >= 1.0)
    return WholeWeeks(null.name, reference, weeks, pages, largest)


def cell_shares(model: EvidenceModel, null: Null, rng: np.random.Generator, rows: int = LAW_ROWS) -> Floats:
    """Return the share of each cell under the law of the family's live rows: (c, b)."""
    counts_cb = np.zeros_like(model.counts_cb)
    for _ in range(rows // PART_ROWS):
        counts_cb += model.channels.counts(null.live(rng, PART_ROWS), RowMemory())
    return np.asarray(counts_cb / counts_cb.sum(axis=1, keepdims=True))


def drawn_counts(
    rng: np.random.Generator, shares_cb: Floats, weeks: int, summaries: int, rows: int = SUMMARY_ROWS
) -> Iterator[Ints]:
    """Give the counts of one summary after another of several weeks: (weeks, c, b) int64 each."""
    for start in range(0, summaries, DRAWN_SUMMARIES):
        size = (min(DRAWN_SUMMARIES, summaries - start), weeks, len(shares_cb))
        yield from rng.multinomial(rows, shares_cb, size=size)


def upper_rate(pages: int, weeks: float) -> float:
    """Return the upper end of a one-sided 95 % interval of the pages a week (Poisson)."""
    return float(chi2.ppf(0.95, 2 * (pages + 1)) / 2 / weeks)


if __name__ == "__main__":
    main()
