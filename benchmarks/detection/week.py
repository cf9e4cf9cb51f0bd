"""What does a stricter promise cost: one false page a week instead of one in 10,000 rows?

    python -m benchmarks.detection.week [--runs 24] [--only NAME] [--full]

Claim: at one page a week the median delay of each stream is at most twice that at 10,000 rows, no change is missed, and
a million unchanged rows cause no page.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from benchmarks.detection.contestants import STEP_ROWS, weir_paths
from benchmarks.detection.delay import AFTER_ROWS, BEFORE_ROWS, REFERENCE_ROWS, changed
from benchmarks.detection.further import further_streams
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, digits_streams, river_streams, synthetic_streams
from monitors.evidence.budget import Budget

__all__ = ["Week", "measure"]

NULL_RUNS, NULL_ROWS = 4, 12_000
OFTEN = Budget(rows_between_false_pages=10_000).summaries_between_pages
WEEK = Budget().summaries_between_pages

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Week:
    """What one stream showed at both promises; a run without a page counts with the rows that it was given."""

    stream: str
    median_often: float
    median_week: float
    missed: int
    runs: int
    false_pages: int
    null_rows: int


def main() -> None:
    """Measure all streams; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--only", default="", help="one stream")
    parser.add_argument("--full", action="store_true", help="four times as many runs")
    arguments = parser.parse_args()
    runs = arguments.runs * (4 if arguments.full else 1)
    known = chain(synthetic_streams(), river_streams(), digits_streams(), dependent_streams(), further_streams())
    for stream in known:
        if arguments.only in ("", stream.name):
            print(json.dumps(asdict(measure(stream, runs))), flush=True)


def measure(stream: Stream, runs: int, seed: int = 11) -> Week:
    """Return the delays of one stream at both promises, and its pages on unchanged rows."""
    rng = np.random.default_rng(seed)
    paths = weir_paths(stream, stream.before(rng, REFERENCE_ROWS))
    found = paths(changed(stream, rng, runs), runs)
    quiet = paths(stream.before(rng, NULL_RUNS * NULL_ROWS), NULL_RUNS)
    often, week = _delays(found, OFTEN), _delays(found, WEEK)
    return Week(
        stream=stream.name,
        median_often=float(np.median(often)),
        median_week=float(np.median(week)),
        missed=int((week > AFTER_ROWS).sum()),
        runs=len(week),
        false_pages=int((quiet >= WEEK).any(axis=1).sum()),
        null_rows=NULL_RUNS * NULL_ROWS,
    )


def _delays(paths: Floats, level: float) -> Floats:
    """Return rows from the change to the page of runs that were silent before; more than there are where none came."""
    first = BEFORE_ROWS // STEP_ROWS
    pages = paths >= level
    after = pages[~pages[:, :first].any(axis=1), first:]
    return np.where(after.any(axis=1), (after.argmax(axis=1) + 1.0) * STEP_ROWS, AFTER_ROWS + STEP_ROWS)


if __name__ == "__main__":
    main()
