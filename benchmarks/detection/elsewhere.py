"""The delay of detectors that live in an environment of their own, beside Weir's on the same rows.

    benchmarks/serving/environment alibi
    .venv/bin/python -m benchmarks.detection.elsewhere CVM --only "mean" [--runs 12]
    .venv/bin/python -m benchmarks.detection.elsewhere CVM --check --only "mean"

The rows go to ``benchmarks.detection.alibi --paths`` in that environment, its statistics come back, and the threshold
is chosen as for every other contestant: one alarm in 10,000 unchanged rows. ``--check`` compares its statistics with
those of ``benchmarks.detection.windows`` instead, row by row: those are quick enough for every stream.
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
import numpy.typing as npt

from benchmarks.detection.alibi import CVM_WINDOWS, WINDOW
from benchmarks.detection.contestants import STEP_ROWS, WEIR, Standard
from benchmarks.detection.delay import Delay, calibrated, delay_of, drawn, measure
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, digits_streams, river_streams, synthetic_streams
from benchmarks.detection.windows import cvm_together_rows, median_distance, mmd_rows

__all__ = ["largest_difference", "measure_elsewhere"]

PYTHON = Path(".weir/benchmarks/environments/alibi/bin/python")
REFERENCE_ROWS = 1_000
"""It compares each row with each of these."""
CHECKED_ROWS, AROUND_THE_CHANGE = 500, slice(800, 1_300)

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Measure one stream or all; one line of JSON a contestant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detector", choices=("CVM", "LSDD", "MMD"))
    parser.add_argument("--only", default="", help="one stream")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--check", action="store_true", help="compare CVM's or MMD's statistics, row by row")
    arguments = parser.parse_args()
    if arguments.check and arguments.detector == "LSDD":
        parser.error("--check compares CVM and MMD: benchmarks.detection.windows has no LSDD")
    for stream in chain(synthetic_streams(), river_streams(), digits_streams(), dependent_streams()):
        if arguments.only in ("", stream.name) and arguments.check:
            difference = largest_difference(stream, arguments.detector)
            print(json.dumps({"stream": stream.name, "detector": arguments.detector, "difference": difference}))
        elif arguments.only in ("", stream.name):
            for delay in measure_elsewhere(stream, arguments.detector, arguments.runs):
                print(json.dumps(asdict(delay)), flush=True)


def measure_elsewhere(stream: Stream, detector: str, runs: int) -> Iterator[Delay]:
    """Give the delay of a detector of the other environment, and Weir's on the same rows."""
    reference, quiet, rows = drawn(stream, runs)
    standard = Standard.fit(reference)
    reference_rd = standard(reference, 1)[0, :REFERENCE_ROWS]
    paths = _followed(detector, reference_rd, standard(quiet, runs), standard(rows, runs))
    found, silent = _steps(paths["rows"]), _steps(paths["quiet"])
    threshold, run_length = calibrated(silent)
    yield delay_of(stream.name, f"alibi-detect {detector}", run_length, found >= threshold, silent >= threshold)
    yield from measure(stream, runs, (WEIR,))


def largest_difference(stream: Stream, detector: str) -> float:
    """Return how far the statistics of the other environment are from our own of the same rows, at the most."""
    reference, _, rows = drawn(stream, 1)
    standard = Standard.fit(reference)
    reference_rd, x_td = standard(reference, 1)[0, :CHECKED_ROWS], standard(rows, 1)[0, AROUND_THE_CHANGE]
    paths = _followed(detector, reference_rd, x_td[None, :1], x_td[None])
    if detector == "CVM":
        ours = cvm_together_rows(x_td[None], reference_rd, tuple(CVM_WINDOWS))[0]
        full = slice(CVM_WINDOWS[0] - 1, None)
        return float(np.abs(ours[full] - paths["rows"][0, full]).max())
    kept_rd, first_rd = reference_rd[paths["kept"][0]], reference_rd[paths["first"][0]]
    ours = mmd_rows(np.concatenate([first_rd, x_td])[None], kept_rd, WINDOW, median_distance(reference_rd))[0]
    return float(np.abs(ours[WINDOW:] - paths["rows"][0]).max())


def _followed(detector: str, reference_rd: Floats, quiet_ntd: Floats, rows_ntd: Floats) -> dict[str, Floats]:
    """Return what the other environment answers."""
    with tempfile.TemporaryDirectory() as folder:
        sent, returned = Path(folder, "rows.npz"), Path(folder, "paths.npz")
        np.savez(sent, reference=reference_rd, quiet=quiet_ntd, rows=rows_ntd)
        subprocess.run(
            [PYTHON, "-m", "benchmarks.detection.alibi", "--only", detector, "--paths", sent, returned], check=True
        )
        with np.load(returned) as paths:
            return dict(paths)


def _steps(path_rn: Floats) -> Floats:
    """Return the largest value of every ten rows: (runs, steps)."""
    return np.asarray(path_rn.reshape(len(path_rn), -1, STEP_ROWS).max(axis=2))


if __name__ == "__main__":
    main()
