"""What does evidence within segments find sooner, what does it cost the rest, and does the promise hold with it?

    python -m benchmarks.detection.segments [--references 6] [--runs 24]

A category has one frequent value, one that a few rows have, and one between them; four correlated numbers depend on it.
A number moves for the few alone, or for all rows. Delays are at one false page a week (60 million rows), with segments
and without. False pages are counted on unchanged rows at 10,000 rows between pages, independent and in runs of alike
rows of one client.

Claim: with segments, what only one row in ten does is found several times sooner, a change of all rows no later, and
the promise holds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import chi2  # type: ignore[import-untyped]  # SciPy ships no types

from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

__all__ = ["Delay", "FalsePages", "delay", "false_pages"]

REFERENCE_ROWS, LIVE_ROWS, MOST_ROWS, BLOCK_ROWS = 40_000, 100_000, 40_000, 500
OFTEN, A_WEEK = Budget(rows_between_false_pages=10_000), Budget(rows_between_false_pages=60_000_000)
SHARES, SHIFTS = (0.05, 0.1, 0.3), (0.5, 1.0)
RUN_ROWS = 17
FEATURES = (
    FeatureSchema("plan", "category", "string", ("new", "old", "middling")),
    *(FeatureSchema(f"x{d}", "number", "float64") for d in range(4)),
)


@dataclass(frozen=True, slots=True)
class Delay:
    """Median rows to the first page about inputs, ``None`` where half of the runs or more had none within 40,000."""

    moved: str
    share: float
    shift: float
    plain: float | None
    plain_missed: int
    segmented: float | None
    segmented_missed: int
    runs: int


@dataclass(frozen=True, slots=True)
class FalsePages:
    """Pages in 100,000 unchanged rows, with the upper end of a one-sided 95 % interval (Poisson); 10 are promised."""

    rows_are: str
    rows: int
    pages: int
    per_100k: float
    upper: float


def main() -> None:
    """Measure all; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=6)
    parser.add_argument("--runs", type=int, default=24)
    arguments = parser.parse_args()
    for run_rows in (1, RUN_ROWS):
        print(json.dumps(asdict(false_pages(run_rows, arguments.references))), flush=True)
    for moved in ("the few", "all"):
        for share in SHARES if moved == "the few" else SHARES[1:2]:
            for shift in SHIFTS:
                print(json.dumps(asdict(delay(moved, share, shift, arguments.runs))), flush=True)


def false_pages(run_rows: int, references: int, live_rows: int = LIVE_ROWS) -> FalsePages:
    """Return the pages of unchanged rows, each reference's live rows its own."""
    pages = 0
    for seed in range(references):
        rng = np.random.default_rng([seed, run_rows])
        monitor = EvidenceMonitor(_fitted(rng, SHARES[1], run_rows), Config(OFTEN))
        for block in _blocks(rng, live_rows, SHARES[1], run_rows=run_rows):
            pages += sum(event.level == "page" for event in monitor.replay(block))
    rows = references * live_rows
    scale = 100_000 / rows
    upper = float(chi2.ppf(0.95, 2 * (pages + 1)) / 2)
    name = "independent" if run_rows == 1 else f"in runs of {run_rows} in the mean, of one client each"
    return FalsePages(name, rows, pages, pages * scale, upper * scale)


def delay(moved: str, share: float, shift: float, runs: int) -> Delay:
    """Return how soon a shift of a number is found, with segments and without, on the same rows."""
    medians, missed = list[float | None](), list[int]()
    for segment in (None, FEATURES[0].name):
        model = _fitted(np.random.default_rng(7), share, segment=segment)
        rows_r = [_first_page(model, seed, share, shift, everybody=moved == "all") for seed in range(runs)]
        median = float(np.median(rows_r))
        medians.append(median if np.isfinite(median) else None)
        missed.append(int(np.isinf(rows_r).sum()))
    return Delay(moved, share, shift, medians[0], missed[0], medians[1], missed[1], runs)


def _first_page(model: EvidenceModel, seed: int, share: float, shift: float, *, everybody: bool) -> float:
    monitor, rng = EvidenceMonitor(model, Config(A_WEEK)), np.random.default_rng(seed)
    for block in _blocks(rng, MOST_ROWS, share, shift=shift, everybody=everybody):
        for event in monitor.replay(block):
            if event.level == "page" and event.cause == "inputs":
                return float(event.rows_seen)
    return np.inf


def _fitted(
    rng: np.random.Generator, share: float, run_rows: int = 1, segment: str | None = FEATURES[0].name
) -> EvidenceModel:
    (reference,) = _blocks(rng, REFERENCE_ROWS, share, run_rows=run_rows, block=REFERENCE_ROWS)
    return EvidenceModel.fit(reference, FEATURES, segment=segment)


def _blocks(
    rng: np.random.Generator,
    n: int,
    share: float,
    *,
    shift: float = 0.0,
    everybody: bool = False,
    run_rows: int = 1,
    block: int = BLOCK_ROWS,
) -> Iterator[Rows]:
    """Give so many rows. Rows of a client have its plan, and numbers half of whose variance is the client's."""
    for _ in range(n // block):
        clients = rng.geometric(1.0 / run_rows, size=block) if run_rows > 1 else np.ones(block, dtype=np.int64)
        of_n = np.repeat(np.arange(block), clients)[:block]
        plan = rng.choice(3, size=block, p=(share, 1.0 - 1.5 * share, 0.5 * share))[of_n]
        own = rng.normal(size=(block, 4))
        numbers = own if run_rows == 1 else (rng.normal(size=(block, 4))[of_n] + own) / np.sqrt(2.0)
        numbers = numbers @ np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0.3, 1]]) + 0.5 * plan[:, None]
        numbers[:, 0] += shift * (everybody | (plan == 0))
        yield Rows(np.column_stack([plan, numbers]))


if __name__ == "__main__":
    main()
