"""What would a detector need that is told the change? The least that any promise costs.

    python -m benchmarks.detection.informed [--runs 120] [--only NAME]

It sums Shiryaev-Roberts over the exact likelihood ratio of the column that changes: it knows the law before and after,
the column, the size, and which rows repeat a client; not when. It has one threshold, no alternatives to choose among,
no other columns or causes, no reference to doubt. Only what counts as unchanged it tolerates like Weir. Hardly any
detector of the same rate of false alarms is quicker (Pollak, "Optimal detection of a change in distribution", Annals of
Statistics, 1985), and the ratio of its delays at two promises is what the stream itself asks for.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmarks.detection.contestants import STEP_ROWS
from benchmarks.detection.delay import (
    AT_10_000_ROWS,
    AT_A_PAGE_A_WEEK,
    PROMISES,
    RUN_LENGTH_ROWS,
    calibrated,
    delay_of,
    drawn,
)
from benchmarks.detection.further import further_streams
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, synthetic_streams
from monitors.evidence.table import Allowance

__all__ = ["KNOWN", "Informed", "informed", "informed_paths"]

FAR = 5.0
"""Deviations beyond which a value is an outlier."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Informed:
    """Rows to the alarm of one stream: at equal realised run length in the mean, at both promises in the median.

    Where the column has no rare value before the change, nothing alarms there, and there is no equal run length.
    """

    stream: str
    run_length: float | None
    mean_delay: float | None
    median_often: float
    median_week: float
    runs: int


def main() -> None:
    """Measure all streams whose laws are known; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=120)
    parser.add_argument("--only", default="", help="one stream")
    arguments = parser.parse_args()
    for stream in chain(synthetic_streams(), dependent_streams(), further_streams()):
        if stream.name in KNOWN and arguments.only in ("", stream.name):
            print(json.dumps(asdict(informed(stream, arguments.runs))), flush=True)


def informed(stream: Stream, runs: int) -> Informed:
    """Return the delays of the detector that is told the change of a stream."""
    _, quiet, rows = drawn(stream, runs)
    ratios = KNOWN[stream.name]
    found, silent = (informed_paths(ratios(part.values_nd), runs) for part in (rows, quiet))
    threshold, run_length = calibrated(silent)
    equal = delay_of(stream.name, "informed", run_length, found >= threshold, silent >= threshold)
    often, week = (
        delay_of(stream.name, promise, None, found >= PROMISES[promise], silent >= PROMISES[promise])
        for promise in (AT_10_000_ROWS, AT_A_PAGE_A_WEEK)
    )
    is_equal = abs(run_length / RUN_LENGTH_ROWS - 1.0) <= 0.1
    return Informed(
        stream=stream.name,
        run_length=run_length if is_equal else None,
        mean_delay=equal.mean_delay if is_equal else None,
        median_often=often.median_delay,
        median_week=week.median_delay,
        runs=runs,
    )


def informed_paths(nats_n: Floats, runs: int) -> Floats:
    """Return the Shiryaev-Roberts sum of log-ratios, every ten rows: (runs, steps)."""
    ratios = np.exp(nats_n.reshape(runs, -1, STEP_ROWS).sum(axis=2))
    sums_n, found = np.zeros(runs), np.zeros(ratios.shape)
    for step in range(ratios.shape[1]):
        sums_n = np.minimum(sums_n + 1.0, 1e200) * ratios[:, step]
        found[:, step] = sums_n
    return found


def _moved(shift: float) -> Callable[[Floats], Floats]:
    return lambda values_nd: shift * values_nd[:, 0] - shift**2 / 2


def _moved_clients(values_nd: Floats) -> Floats:
    """The mean moves by one deviation; a row that repeats an earlier one says nothing."""
    is_first_n = np.zeros(len(values_nd), dtype=np.bool_)
    is_first_n[np.unique(values_nd[:, 0], return_index=True)[1]] = True
    return np.where(is_first_n, values_nd[:, 0] - 0.5, 0.0)


def _spread(values_nd: Floats) -> Floats:
    return np.asarray(values_nd[:, 0] ** 2 / 2 * (1 - 1.5**-2) - np.log(1.5))


def _tail(values_nd: Floats) -> Floats:
    return np.asarray(np.log(0.85 + 0.15 / 3 * np.exp(values_nd[:, 0] ** 2 / 2 * (1 - 1 / 9))))


def _counts(values_nd: Floats) -> Floats:
    return np.asarray(values_nd[:, 0] * np.log(1.2) - 0.6)


def _waits(values_nd: Floats) -> Floats:
    return np.asarray(values_nd[:, 0] * (1 - 1 / 1.33) - np.log(1.33))


def _rare(share: float, is_rare: Callable[[Floats], npt.NDArray[np.bool_]]) -> Callable[[Floats], Floats]:
    """Rare values take a share of the rows, where what is tolerated of them counts as unchanged."""
    least = Allowance().rare_tolerance
    rare, other = np.log(share / least), np.log((1 - share) / (1 - least))
    return lambda values_nd: np.asarray(np.where(is_rare(values_nd[:, 0]), rare, other), dtype=np.float64)


KNOWN: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "mean": _moved(0.5),
        "spread": _spread,
        "tail": _tail,
        "2 % missing": _rare(0.02, np.isnan),
        "10 % missing": _rare(0.1, np.isnan),
        "small mean, one dimension": _moved(0.3),
        "bursty clients, identical rows, mean": _moved_clients,
        "clients interleaved, identical rows, mean": _moved_clients,
        "counts, rate up a fifth": _counts,
        "waiting times, up a third": _waits,
        "outliers, one in a hundred": _rare(0.01, lambda x_n: x_n > FAR),
        "30 features, one moves": _moved(0.7),
    }
)
"""The log-ratio of each row by stream."""


if __name__ == "__main__":
    main()
