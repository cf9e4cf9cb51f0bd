"""How many rows does a baseline need, and do those that are accepted keep the promise?

    python -m benchmarks.detection.baseline_rows [--rows 7000 20000] [--baselines 3] [--weeks 0.6] [--only NAME]
    python -m benchmarks.detection.baseline_rows --apart [--rows 7000 20000]
    python -m benchmarks.detection.baseline_rows --page BASELINE_ROWS.jsonl

Claim: from some 7,000 rows on, steady traffic of independent rows is accepted as a baseline at one false page a week,
and traffic to come that is as steady pages at most that often. ``--apart`` tells how far a quarter of the baseline may
lie from the others until that raises the threshold, or is refused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.detection.nulls import Null, nulls
from benchmarks.detection.whole_weeks import WEEK_SUMMARIES, upper_rate
from benchmarks.serving.markdown import number, replace_marked, table
from monitors.calibration import calibrate
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.replicas import Replicas
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

__all__ = ["Accepted", "accept", "baseline_rows_section", "moved", "realised", "segmented"]

FAMILIES = ("independent, 5 ", "autocorrelation 0.5", "bursty")
STREAMS, PART_SUMMARIES, SUMMARY_ROWS = 8, 500, 10
SHARES = (0.4, 0.3, 0.2, 0.1)
SHIFTS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one baseline.

    Parameters
    ----------
    null
        What is special about the stream.
    rows, seed
        Length of the baseline, and which one.
    level, factor, upper
        As calibration says.
    weeks, pages
        Watched afterwards at the threshold that calibration set, and false pages then; 0 weeks where it was refused.
    """

    null: str
    rows: int
    seed: int
    level: str
    factor: float
    upper: float
    weeks: float
    pages: int


def main() -> None:
    """Measure all families, several baselines each; one line of JSON a baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[7_000, 20_000])
    parser.add_argument("--baselines", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--weeks", type=float, default=0.6)
    parser.add_argument("--only", default="")
    parser.add_argument("--apart", action="store_true", help="baselines of which a quarter lies elsewhere")
    parser.add_argument("--page", type=Path, help="write what such lines say into docs/detection.md")
    arguments = parser.parse_args()
    if arguments.page is not None:
        found = [Accepted(**json.loads(line)) for line in arguments.page.read_text(encoding="utf-8").splitlines()]
        replace_marked(Path("docs/detection.md"), "benchmarks/detection/baseline_rows.py", baseline_rows_section(found))
        return
    for null, segment in map(_whole, map(moved, SHIFTS)) if arguments.apart else _families():
        if arguments.only in null.name:
            for rows in arguments.rows:
                for seed in range(arguments.first, arguments.first + arguments.baselines):
                    weeks = 0.0 if arguments.apart else arguments.weeks
                    print(json.dumps(asdict(accept(null, segment, rows, seed, weeks))), flush=True)


def accept(
    null: Null, segment: str | None, rows: int, seed: int, weeks: float, budget: Budget | None = None
) -> Accepted:
    """Calibrate on one baseline; watch traffic to come where it was accepted."""
    rng, budget = np.random.default_rng([31, rows, seed]), budget or Budget()
    baseline = null.reference(rng, rows)
    found = calibrate(baseline, null.features, null.output, budget=budget, segment=segment)
    weeks, pages = weeks if found.level == "baseline" else 0.0, 0
    if weeks:
        model = EvidenceModel.fit(baseline, null.features, null.output, segment=segment)
        pages = realised(model, found.budget, null, rng, round(weeks * WEEK_SUMMARIES))
    return Accepted(null.name, rows, seed, found.level, found.factor, found.upper, weeks, pages)


def realised(model: EvidenceModel, budget: Budget, null: Null, rng: np.random.Generator, summaries: int) -> int:
    """Return the pages of so many summaries of live rows, watched as several streams side by side."""
    replicas, pages = Replicas(model, budget, STREAMS), 0
    for start in range(0, summaries // STREAMS, PART_SUMMARIES):
        steps = min(PART_SUMMARIES, summaries // STREAMS - start)
        parts = [
            model.channels.block_counts(null.live(rng, steps * SUMMARY_ROWS), SUMMARY_ROWS, RowMemory())
            for _ in range(STREAMS)
        ]
        pages += sum(int(replicas.step(counts_rcb).sum()) for counts_rcb in np.stack(parts, axis=1))
    return pages


def segmented() -> Null:
    """Return three independent numbers, and a category that tells rows apart."""
    features = (
        *(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(3)),
        FeatureSchema("plan", "category", "string", tuple("abcd")),
    )

    def law(rng: np.random.Generator, n: int) -> Rows:
        plan_n = rng.choice(len(SHARES), size=n, p=SHARES)
        return Rows(np.column_stack([rng.normal(size=(n, 3)) + plan_n[:, None], plan_n]))

    return Null("independent, 4 segments", features, law, law)


def moved(by: float) -> Null:
    """Return three independent numbers, the first of which lies elsewhere in the last quarter."""
    features = tuple(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(3))

    def law(rng: np.random.Generator, n: int) -> Rows:
        rows = rng.normal(size=(n, 3))
        rows[n * 3 // 4 :, 0] += by
        return Rows(rows)

    return Null(f"a quarter moved by {by:g}", features, law, law)


def baseline_rows_section(found: Sequence[Accepted]) -> str:
    """Return a row for each family and length."""
    heads = ("stream", "rows", "baselines", "accepted", "factor", "weeks", "false pages", "pages a week, at most")
    rows = []
    for null, length in dict.fromkeys((each.null, each.rows) for each in found):
        mine = [each for each in found if (each.null, each.rows) == (null, length)]
        held = [each for each in mine if each.level == "baseline"]
        factor = number(median(each.factor for each in held)) if held else ""
        weeks, pages = sum(each.weeks for each in held), sum(each.pages for each in held)
        came = (number(weeks), str(pages), f"{upper_rate(pages, weeks):.2f}") if weeks else ("", "", "")
        rows.append((null, f"{length:,}", str(len(mine)), str(len(held)), factor, *came))
    return table(heads, rows)


def _families() -> Iterator[tuple[Null, str | None]]:
    yield from (_whole(null) for null in nulls() if null.name.startswith(FAMILIES))
    yield segmented(), "plan"


def _whole(null: Null) -> tuple[Null, str | None]:
    return null, None


if __name__ == "__main__":
    main()
