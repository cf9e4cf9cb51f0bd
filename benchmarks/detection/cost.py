"""How many rows a second does one core watch, and does memory grow?

    python -m benchmarks.detection.cost

Claim: at least 100,000 rows/s at 30 features in batches of 32, joint channels on; memory grows by less than 1 MB over a
million rows.
"""

from __future__ import annotations

import json
import os
import time
import tracemalloc

import numpy as np

from monitors.evidence.monitor import EvidenceMonitor
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["measure"]

FEATURES, BATCH, BATCHES = 30, 32, 500
REFERENCE_ROWS, MEMORY_ROWS = 20_000, 1_000_000


def main() -> None:
    """Measure with and without answers; one line of JSON each."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for classes in (0, 3):
        print(json.dumps(measure(classes)), flush=True)


def measure(classes: int) -> dict[str, object]:
    """Return rows a second of CPU time (the best of five rounds) and bytes gained over a million rows."""
    rng = np.random.default_rng(0)
    features = [FeatureSchema(f"x{i}", "number", "float64") for i in range(FEATURES)]
    output = (
        OutputSchema("classification", tuple(str(k) for k in range(classes))) if classes else OutputSchema("tensor")
    )
    monitor = EvidenceMonitor.fit(_rows(rng, REFERENCE_ROWS, classes), features, output)
    batches = [_rows(rng, BATCH, classes) for _ in range(BATCHES)]
    fastest = min(_seconds(monitor, batches) for _ in range(5))
    return {
        "features": FEATURES,
        "channels": len(monitor.model.channels.listed),
        "classes": classes,
        "rows_per_s": round(BATCH * BATCHES / fastest),
        "bytes_gained": _gained(monitor, batches),
        "table_bytes": monitor.model.table.nats_cbk.nbytes,
    }


def _seconds(monitor: EvidenceMonitor, batches: list[Rows]) -> float:
    started = time.process_time()
    for batch in batches:
        monitor.update(batch)
    return time.process_time() - started


def _gained(monitor: EvidenceMonitor, batches: list[Rows]) -> int:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(MEMORY_ROWS // (BATCH * BATCHES)):
        for batch in batches:
            monitor.update(batch)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _rows(rng: np.random.Generator, n: int, classes: int) -> Rows:
    scores_nk = rng.dirichlet(np.ones(classes), size=n) if classes else None
    return Rows(rng.normal(size=(n, FEATURES)), scores_nk)


if __name__ == "__main__":
    main()
