"""Is the promised number of false pages kept on streams that do not change?

    python -m benchmarks.detection.budget [--references 6] [--only NAME] [--full]

Claim: with its default configuration, learned from the reference alone, Weir pages at most once in 10,000 rows in the
mean on every family of unchanged streams; peers at their defaults do not.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.contestants import Standard
from benchmarks.detection.defaults import DEFAULTS
from benchmarks.detection.nulls import Null, nulls
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.rows import Rows

__all__ = ["Pages", "weir_pages"]

REFERENCE_ROWS, LIVE_ROWS, PEER_ROWS = 20_000, 50_000, 20_000
PROMISE_ROWS = 10_000

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pages:
    """False pages per 100,000 rows; ``upper`` is the upper end of a one-sided 95 % interval (Poisson)."""

    null: str
    contestant: str
    rows: int
    pages: int
    per_100k: float
    upper: float
    worst_reference: int


def main() -> None:
    """Measure all families; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--references", type=int, default=6)
    parser.add_argument("--only", default="", help="one family")
    parser.add_argument("--full", action="store_true", help="four times as many references")
    arguments = parser.parse_args()
    references = arguments.references * (4 if arguments.full else 1)
    for null in nulls():
        if arguments.only in ("", null.name):
            for pages in (weir_pages(null, references), *_peers(null)):
                print(json.dumps(asdict(pages)), flush=True)


def weir_pages(null: Null, references: int, live_rows: int = LIVE_ROWS) -> Pages:
    """Return Weir's pages over several references, each followed by as many unchanged rows."""
    found = []
    for seed in range(references):
        rng = np.random.default_rng([3, seed])
        model = EvidenceModel.fit(null.reference(rng, REFERENCE_ROWS), null.features, null.output)
        monitor = EvidenceMonitor(model, Config(Budget(rows_between_false_pages=PROMISE_ROWS)))
        found.append(_follow(monitor, null.live(rng, live_rows), null.summary_rows))
    return _pages(null, "Weir", references * live_rows, found)


def _follow(monitor: EvidenceMonitor, rows: Rows, sizes: tuple[int, ...]) -> int:
    """Return how many pages the rows cause, in summaries of the given sizes."""
    pages, start = 0, 0
    for size in cycle(sizes):
        if start + size > len(rows):
            return pages
        monitor.count(rows.part(start, start + size))
        pages += sum(event.level == "page" for event in monitor.end_summary())
        start += size
    return pages


def _peers(null: Null) -> Iterator[Pages]:
    """Give the alarms of peers at their defaults; every column has its own, as they are used."""
    rng = np.random.default_rng(4)
    reference = null.reference(rng, REFERENCE_ROWS)
    standard = Standard.fit(reference)
    reference_rd, live_nd = standard(reference, 1)[0], standard(null.live(rng, PEER_ROWS), 1)[0]
    for name, alarms in DEFAULTS.items():
        yield _pages(null, name, PEER_ROWS, [alarms(live_nd, reference_rd)])


def _pages(null: Null, contestant: str, rows: int, found: list[int]) -> Pages:
    pages = sum(found)
    upper = float(chi2.ppf(0.95, 2 * (pages + 1)) / 2)
    scale = 100_000 / rows
    return Pages(null.name, contestant, rows, pages, pages * scale, upper * scale, max(found))


if __name__ == "__main__":
    main()
