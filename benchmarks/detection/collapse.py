"""How soon is a collapse of confidence found, and is a benign change of the class mix silent?

    python -m benchmarks.detection.collapse [--runs 20]

Claim: at one false page a week, modes A to D within 15 rows where they are strong, A within 60 where it is weak, B
within 20 where a tenth of the answers still names another class, E in the batch of its first broken answer; a change of
the class mix never pages as confidence.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmarks.detection.streams import digits_streams
from monitors.evidence.model import EvidenceModel
from monitors.evidence.monitor import EvidenceMonitor
from monitors.evidence.rows import Rows

__all__ = ["MODES"]

REFERENCE_ROWS, LIVE_ROWS = 20_000, 1_000
BATCH_ROWS = 10
LONE_ROW = 700

Floats = npt.NDArray[np.float64]
Collapse = Callable[[Floats], Floats]


def main() -> None:
    """Measure all modes and the benign change; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(6)
    stream = next(digits_streams())
    model = EvidenceModel.fit(stream.before(rng, REFERENCE_ROWS), stream.features, stream.output)
    for name, collapse in MODES.items():
        blocks = [_changed(stream.before(rng, LIVE_ROWS), collapse) for _ in range(runs)]
        begin = LONE_ROW if name == LONE else 0
        print(json.dumps({"mode": name, **_found(model, blocks, begin)}), flush=True)
    mixed = [stream.after(rng, LIVE_ROWS, np.zeros(LIVE_ROWS)) for _ in range(runs)]
    print(json.dumps({"mode": "benign: another mix of classes", **_found(model, mixed, 0)}), flush=True)


def _found(model: EvidenceModel, blocks: list[Rows], begin: int) -> dict[str, object]:
    """Return rows from the first changed one to the first page and its causes, and the pages about confidence."""
    first, causes, confidence = [], set(), 0
    for block in blocks:
        monitor = EvidenceMonitor(model)
        parts = [block.part(start, start + BATCH_ROWS) for start in range(0, len(block), BATCH_ROWS)]
        pages = [event for part in parts for event in monitor.update(part) if event.level == "page"]
        confidence += sum(event.cause == "confidence" for event in pages)
        first.append(pages[0].rows_seen if pages else LIVE_ROWS)
        causes |= {event.cause for event in pages if event.rows_seen == first[-1]}
    return {
        "median_rows": float(np.median(first)) - begin,
        "worst_rows": max(first) - begin,
        "first_causes": sorted(causes),
        "pages_about_confidence": confidence,
    }


def _changed(rows: Rows, collapse: Collapse) -> Rows:
    assert rows.scores_nk is not None
    return Rows(rows.values_nd, collapse(rows.scores_nk))


def _tempered(scores_nk: Floats, temperature: float) -> Floats:
    powers_nk = np.maximum(scores_nk, 1e-12) ** (1.0 / temperature)
    return np.asarray(powers_nk / powers_nk.sum(axis=1, keepdims=True))


def _one_class(scores_nk: Floats, factor: float) -> Floats:
    return _tempered(scores_nk * np.where(np.arange(scores_nk.shape[1]) == 3, factor, 1.0), 1.0)


def _broken(scores_nk: Floats, rows: slice) -> Floats:
    found_nk = scores_nk.copy()
    found_nk[rows] = np.nan
    return found_nk


LONE = "E one broken answer in a thousand"


MODES: Mapping[str, Collapse] = MappingProxyType(
    {
        "A under-confidence, weak (temperature 1.5)": lambda scores_nk: _tempered(scores_nk, 1.5),
        "A under-confidence, strong (temperature 4)": lambda scores_nk: _tempered(scores_nk, 4.0),
        "B class collapse, nine answers in ten": lambda scores_nk: _one_class(scores_nk, 1e4),
        "B class collapse, every answer": lambda scores_nk: _one_class(np.maximum(scores_nk, 1e-6), 1e12),
        "C constant output": lambda scores_nk: np.repeat(scores_nk[:1], len(scores_nk), axis=0),
        "D saturation (temperature 0.2)": lambda scores_nk: _tempered(scores_nk, 0.2),
        "E one broken answer in ten": lambda scores_nk: _broken(scores_nk, slice(None, None, 10)),
        LONE: lambda scores_nk: _broken(scores_nk, slice(LONE_ROW, LONE_ROW + 1)),
    }
)


if __name__ == "__main__":
    main()
