"""How soon a change is found when all detectors alarm equally rarely without one: every 10,000 rows.

    python -m benchmarks.detection.delay [--runs 24] [--only NAME] [--contestants NAME ...]
        [--further | --gathering] [--full]

Claim: one configuration of Weir needs at most 0.70 of the best peer's delay in the geometric mean over streams, and
nowhere more than 1.10. The means of 24 runs are good to a fifth: where Weir is nearly as late as the best peer, or
later, it and the peers that may be best are run four times as often.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt

from benchmarks.detection.contestants import STEP_ROWS, WEIR, contestants
from benchmarks.detection.further import further_streams
from benchmarks.detection.gathering import gathering_streams
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, digits_streams, river_streams, synthetic_streams
from monitors.evidence.budget import Budget
from monitors.evidence.rows import Rows

__all__ = [
    "AT_10_000_ROWS",
    "AT_A_PAGE_A_WEEK",
    "CLOSE",
    "LEAST_RUN_LENGTH",
    "PROMISES",
    "REFERENCE_ROWS",
    "RUN_LENGTH_ROWS",
    "Delay",
    "calibrated",
    "delay_of",
    "drawn",
    "measure",
    "nearest",
]

REFERENCE_ROWS = 20_000
RUN_LENGTH_ROWS = 10_000
NULL_ROWS = 12_000
LEAST_RUN_LENGTH = 0.9 * RUN_LENGTH_ROWS
CLOSE, NEAREST, MORE_RUNS = 0.9, 1.5, 4
"""Shares of the best peer's delay from which on a stream is run more often, and up to which peers are; how often."""
AT_10_000_ROWS, AT_A_PAGE_A_WEEK = f"{WEIR}, promise of 10,000 rows", f"{WEIR}, one page a week"
PROMISES = {
    AT_10_000_ROWS: Budget(rows_between_false_pages=RUN_LENGTH_ROWS).summaries_between_pages,
    AT_A_PAGE_A_WEEK: Budget().summaries_between_pages,
}
BEFORE_ROWS, AFTER_ROWS = 1_000, 4_000

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Delay:
    """What one contestant showed on one stream; delays in rows, missed runs count with the rows they were given.

    ``null_alarms`` counts the unchanged runs of ``null_rows`` rows together in which it alarmed.
    """

    stream: str
    contestant: str
    run_length: float | None
    mean_delay: float
    median_delay: float
    missed: int
    runs: int
    null_alarms: int
    null_rows: int


def main() -> None:
    """Measure all streams, as many at once as there are cores; a line of JSON for each contestant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--only", default="", help="one stream")
    parser.add_argument("--contestants", nargs="*", default=[""], help="contestants whose names begin so")
    parser.add_argument("--further", action="store_true", help="the streams made after the configuration was fixed")
    parser.add_argument("--gathering", action="store_true", help="the streams whose values gather")
    parser.add_argument("--full", action="store_true", help="four times as many runs")
    arguments = parser.parse_args()
    names = [stream.name for stream in _streams(arguments) if arguments.only in ("", stream.name)]
    with ProcessPoolExecutor() as pool:
        for found in pool.map(partial(_found, arguments), names):
            for delay in found:
                print(json.dumps(asdict(delay)), flush=True)


def _streams(arguments: argparse.Namespace) -> Iterable[Stream]:
    if arguments.gathering or arguments.further:
        return gathering_streams() if arguments.gathering else further_streams()
    return chain(synthetic_streams(), river_streams(), digits_streams(), dependent_streams())


def _found(arguments: argparse.Namespace, name: str) -> list[Delay]:
    """Measure one stream; more often where a peer of the first table is near."""
    stream = next(stream for stream in _streams(arguments) if stream.name == name)
    runs, names = arguments.runs * (MORE_RUNS if arguments.full else 1), tuple(arguments.contestants)
    found = {delay.contestant: delay for delay in measure(stream, runs, names)}
    if not (arguments.full or arguments.further or arguments.gathering) and (near := nearest(found.values())):
        found |= {delay.contestant: delay for delay in measure(stream, MORE_RUNS * runs, near)}
    return list(found.values())


def nearest(found: Iterable[Delay]) -> tuple[str, ...]:
    """Return Weir and the peers that may be best, of those that alarm rarely enough; none where Weir leads by far."""
    delays = {d.contestant: d.mean_delay for d in found if (d.run_length or 0.0) >= LEAST_RUN_LENGTH}
    weir = delays.pop(WEIR, 0.0)
    best = min(delays.values(), default=math.inf)
    return (WEIR, *(name for name, delay in delays.items() if delay <= NEAREST * best)) if weir >= CLOSE * best else ()


def measure(stream: Stream, runs: int, names: tuple[str, ...] = ("",), seed: int = 1) -> Iterator[Delay]:
    """Give the delay of contestants on one stream: of all, or of those whose names begin so."""
    reference, quiet, rows = drawn(stream, runs, seed)
    for name, paths in contestants(stream, reference).items():
        if not name.startswith(names):
            continue
        found, silent = paths(rows, runs), paths(quiet, runs)
        threshold, run_length = calibrated(silent)
        yield delay_of(stream.name, name, run_length, found >= threshold, silent >= threshold)
        for promise, summaries in PROMISES.items() if name == WEIR else ():
            yield delay_of(stream.name, promise, None, found >= summaries, silent >= summaries)


def drawn(stream: Stream, runs: int, seed: int = 1) -> tuple[Rows, Rows, Rows]:
    """Return the reference, the rows of the unchanged runs, and those of the runs with a change."""
    rng = np.random.default_rng(seed)
    reference = stream.before(rng, REFERENCE_ROWS)
    return reference, stream.before(rng, runs * NULL_ROWS), _changed(stream, rng, runs)


def _changed(stream: Stream, rng: np.random.Generator, runs: int) -> Rows:
    """Return rows of so many runs behind each other, each of which changes after the first thousand."""
    since_n = np.arange(AFTER_ROWS, dtype=np.float64)
    return _joined(
        [
            part
            for _ in range(runs)
            for part in (stream.before(rng, BEFORE_ROWS), stream.after(rng, AFTER_ROWS, since_n))
        ]
    )


def calibrated(paths: Floats) -> tuple[float, float]:
    """Return the threshold at which the mean run length is that asked for, and the run length that it gives.

    The mean run length is estimated as rows watched over alarms; runs without an alarm count with all their rows.
    """
    records = np.maximum.accumulate(paths, axis=1)
    low, high = 0, len(levels := np.unique(records)) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _run_length(records, levels[middle]) >= RUN_LENGTH_ROWS else (middle + 1, high)
    return float(levels[low]), _run_length(records, levels[low])


def _run_length(records: Floats, threshold: float) -> float:
    hits = records >= threshold
    watched = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, records.shape[1])
    return float(STEP_ROWS * watched.sum() / max(1, hits.any(axis=1).sum()))


def delay_of(stream: str, contestant: str, run_length: float | None, alarms: Bools, null_alarms: Bools) -> Delay:
    """Return the delay over runs that were silent before the change."""
    first = BEFORE_ROWS // STEP_ROWS
    after = alarms[~alarms[:, :first].any(axis=1), first:]
    found = after.any(axis=1)
    delays = np.where(found, (after.argmax(axis=1) + 1) * STEP_ROWS, AFTER_ROWS)
    return Delay(
        stream=stream,
        contestant=contestant,
        run_length=run_length,
        mean_delay=float(delays.mean()) if len(delays) else math.nan,
        median_delay=float(np.median(delays)) if len(delays) else math.nan,
        missed=int((~found).sum()),
        runs=len(after),
        null_alarms=int(null_alarms.any(axis=1).sum()),
        null_rows=STEP_ROWS * null_alarms.size,
    )


def _joined(parts: list[Rows]) -> Rows:
    values_nd = np.concatenate([part.values_nd for part in parts])
    scores = [part.scores_nk for part in parts if part.scores_nk is not None]
    return Rows(values_nd, np.concatenate(scores) if scores else None)


if __name__ == "__main__":
    main()
