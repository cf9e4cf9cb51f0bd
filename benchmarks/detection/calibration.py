"""Does a baseline that replays itself foretell the false pages that come?

    python -m benchmarks.detection.calibration [--baselines 2] [--only NAME]
    python -m benchmarks.detection.calibration --page CALIBRATION.jsonl

Claim: on streams whose dependence a baseline shows, the promise holds and false pages are within what was foretold. A
level that wanders slowly is foretold several times better than by a baseline that is replayed through a model fitted on
it, and where parts of the baseline differ too much calibration says so; what the baseline does not show stays unknown.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.detection.nulls import Null, nulls
from benchmarks.serving.markdown import number, replace_marked, table
from monitors.calibration import Calibrated, calibrate
from monitors.evidence.bootstrap import StationaryBootstrap
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.repeats import RowMemory
from monitors.evidence.replicas import Replicas
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

__all__ = ["Foretold", "calibration_section", "foretell", "wandering"]

BASELINE_ROWS, LIVE_ROWS = 20_000, 100_000
BUDGET = Budget(rows_between_false_pages=10_000)
SELF_REPLICAS, SELF_STEPS, SELF_RUN = 64, 1_000, 10.0
FAMILIES = ("independent, 5 ", "independent, 30", "categories", "autocorrelation 0.5", "bursty", "daily season")


@dataclass(frozen=True, slots=True)
class Foretold:
    """False pages in the time of one allowed page, foretold and come true.

    Parameters
    ----------
    null
        What is special about the stream.
    level, factor
        As calibration says.
    by_itself
        Foretold where the baseline is replayed through a model that was fitted on it.
    predicted, upper
        Foretold crosswise, at the last threshold.
    unraised, realised
        Come true on traffic to come, at the plain threshold and at the one that calibration sets.
    """

    null: str
    level: str
    factor: float
    by_itself: float
    predicted: float
    upper: float
    unraised: float
    realised: float


def main() -> None:
    """Measure all families, several baselines each; one line of JSON a baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baselines", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--page", type=Path, help="write what such lines say into docs/detection.md")
    arguments = parser.parse_args()
    if arguments.page is not None:
        found = [Foretold(**json.loads(line)) for line in arguments.page.read_text(encoding="utf-8").splitlines()]
        replace_marked(Path("docs/detection.md"), "benchmarks/detection/calibration.py", calibration_section(found))
        return
    for null in _families():
        if arguments.only in null.name:
            for seed in range(arguments.baselines):
                print(json.dumps(asdict(foretell(null, seed))), flush=True)


def foretell(null: Null, seed: int, rows: int = BASELINE_ROWS, live_rows: int = LIVE_ROWS) -> Foretold:
    """Calibrate on one baseline, then watch traffic to come."""
    rng = np.random.default_rng([5, seed])
    stream = null.reference(rng, rows + live_rows)
    baseline, live = stream.part(0, rows), stream.part(rows, rows + live_rows)
    model = EvidenceModel.fit(baseline, null.features, null.output)
    found: Calibrated = calibrate(baseline, null.features, null.output, budget=BUDGET)
    return Foretold(
        null=null.name,
        level=found.level,
        factor=found.factor,
        by_itself=_by_itself(model, baseline),
        predicted=found.predicted,
        upper=found.upper,
        unraised=_pages(model, BUDGET, live),
        realised=_pages(model, found.budget, live),
    )


def calibration_section(found: Sequence[Foretold]) -> str:
    """Return a row for each family, means over its baselines."""
    heads = ("stream", "baselines", "held", "factor", "by itself", "foretold", "at most", "plain", "came")
    rows = []
    for null in dict.fromkeys(each.null for each in found):
        mine = [each for each in found if each.null == null]
        held = sum(each.level == "baseline" for each in mine)
        factors = [each.factor for each in mine if each.level == "baseline"]
        means = [
            fmean(getattr(each, name) for each in mine)
            for name in ("by_itself", "predicted", "upper", "unraised", "realised")
        ]
        factor = number(fmean(factors)) if factors else ""
        rows.append((null, str(len(mine)), f"{held}", factor, *map(number, means)))
    return table(heads, rows)


def wandering(size: float, memory_rows: float) -> Null:
    """Return a stream whose mean wanders: a level that forgets itself in so many rows."""

    def law(rng: np.random.Generator, n: int) -> Rows:
        keeps = 1.0 - 1.0 / memory_rows
        level, levels = rng.normal(), np.empty(n)
        for t, news in enumerate(rng.normal(size=n) * np.sqrt(1.0 - keeps**2)):
            level = levels[t] = keeps * level + news
        return Rows(rng.normal(size=(n, 1)) + size * levels[:, None])

    features = (FeatureSchema("number", "number", "float64"),)
    return Null(f"mean wanders by {size:g}, over {memory_rows:,.0f} rows", features, law, law)


def _families() -> Iterator[Null]:
    yield from (null for null in nulls() if null.name.startswith(FAMILIES))
    yield wandering(0.1, 3_000)
    yield wandering(0.3, 3_000)
    yield wandering(0.3, 30_000)


def _pages(model: EvidenceModel, budget: Budget, live: Rows) -> float:
    """Return false pages in the time of one allowed page."""
    events = EvidenceMonitor(model, Config(budget)).replay(live)
    allowed = len(live) / (BUDGET.rows_between_false_pages or 1.0)
    return sum(event.level == "page" for event in events) / allowed


def _by_itself(model: EvidenceModel, baseline: Rows) -> float:
    counts = model.channels.block_counts(baseline, BUDGET.summary_rows, RowMemory())
    rng = np.random.default_rng(0)
    bootstrap = StationaryBootstrap(len(counts), mean_run=SELF_RUN, replicas=SELF_REPLICAS, resampled=False, rng=rng)
    replicas = Replicas(model, BUDGET, SELF_REPLICAS)
    pages = sum(int(replicas.step(counts[bootstrap.draw()]).sum()) for _ in range(SELF_STEPS))
    return pages * BUDGET.summaries_between_pages / (SELF_REPLICAS * SELF_STEPS)


if __name__ == "__main__":
    main()
