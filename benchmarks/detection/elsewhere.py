"""The delay of detectors that live in an environment of their own, beside Weir's on the same rows.

    benchmarks/serving/environment alibi
    .venv/bin/python -m benchmarks.detection.elsewhere CVM --only "mean" [--runs 12]

The rows go to ``benchmarks.detection.alibi --paths`` in that environment, its statistics come back, and the threshold
is chosen as for every other contestant: one alarm in 10,000 unchanged rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np

from benchmarks.detection.contestants import STEP_ROWS, WEIR, Standard
from benchmarks.detection.delay import Delay, calibrated, delay_of, drawn, measure
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, digits_streams, river_streams, synthetic_streams

__all__ = ["measure_elsewhere"]

PYTHON = Path(".weir/benchmarks/environments/alibi/bin/python")
REFERENCE_ROWS = 1_000
"""It compares each row with each of these."""


def main() -> None:
    """Measure one stream or all; one line of JSON a contestant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detector", choices=("CVM", "LSDD", "MMD"))
    parser.add_argument("--only", default="", help="one stream")
    parser.add_argument("--runs", type=int, default=12)
    arguments = parser.parse_args()
    for stream in chain(synthetic_streams(), river_streams(), digits_streams(), dependent_streams()):
        if arguments.only in ("", stream.name):
            for delay in measure_elsewhere(stream, arguments.detector, arguments.runs):
                print(json.dumps(asdict(delay)), flush=True)


def measure_elsewhere(stream: Stream, detector: str, runs: int) -> Iterator[Delay]:
    """Give the delay of a detector of the other environment, and Weir's on the same rows."""
    reference, quiet, rows = drawn(stream, runs)
    standard = Standard.fit(reference)
    with tempfile.TemporaryDirectory() as folder:
        sent, returned = Path(folder, "rows.npz"), Path(folder, "paths.npz")
        np.savez(
            sent,
            reference=standard(reference, 1)[0, :REFERENCE_ROWS],
            quiet=standard(quiet, runs),
            rows=standard(rows, runs),
        )
        subprocess.run(
            [PYTHON, "-m", "benchmarks.detection.alibi", "--only", detector, "--paths", sent, returned], check=True
        )
        with np.load(returned) as paths:
            found, silent = (_steps(paths[name]) for name in ("rows", "quiet"))
    threshold, run_length = calibrated(silent)
    yield delay_of(stream.name, f"alibi-detect {detector}", run_length, found >= threshold, silent >= threshold)
    yield from measure(stream, runs, (WEIR,))


def _steps(
    path_rn: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the largest value of every ten rows: (runs, steps)."""
    return np.asarray(path_rn.reshape(len(path_rn), -1, STEP_ROWS).max(axis=2))


if __name__ == "__main__":
    main()
