"""What does a stricter promise cost: one false page a week instead of one in 10,000 rows?

    python -m benchmarks.detection.week [--runs 96] [--only NAME] [--full]

Claim: at one page a week the median delay of each stream is at most twice that at 10,000 rows, no change is missed, and
a million unchanged rows cause no page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain

from benchmarks.detection.contestants import WEIR
from benchmarks.detection.delay import AT_10_000_ROWS, AT_A_PAGE_A_WEEK, Delay, measure
from benchmarks.detection.further import further_streams
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import digits_streams, river_streams, synthetic_streams

__all__ = ["Week", "compared"]


@dataclass(frozen=True, slots=True)
class Week:
    """Median rows to the page of one stream at both promises; what it missed and its false pages at a page a week."""

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
    parser.add_argument("--runs", type=int, default=96)
    parser.add_argument("--only", default="", help="one stream")
    parser.add_argument("--full", action="store_true", help="four times as many runs")
    arguments = parser.parse_args()
    runs = arguments.runs * (4 if arguments.full else 1)
    known = chain(synthetic_streams(), river_streams(), digits_streams(), dependent_streams(), further_streams())
    for stream in known:
        if arguments.only in ("", stream.name):
            print(json.dumps(asdict(compared(list(measure(stream, runs, (WEIR,)))))), flush=True)


def compared(delays: Sequence[Delay]) -> Week:
    """Return Weir's delays on one stream at the two promises."""
    found = {delay.contestant: delay for delay in delays}
    often, week = found[AT_10_000_ROWS], found[AT_A_PAGE_A_WEEK]
    return Week(
        stream=week.stream,
        median_often=often.median_delay,
        median_week=week.median_delay,
        missed=week.missed,
        runs=week.runs,
        false_pages=week.null_alarms,
        null_rows=week.null_rows,
    )


if __name__ == "__main__":
    main()
