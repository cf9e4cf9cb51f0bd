"""What an answer costs on the machine that checks: time of one row, and memory."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.release.document import GateResult
from gateway.release.examination import Examination, take_rows
from gateway.release.gates.verdict import judged

__all__ = ["judge_budget"]

RUNS: Final = 200
WARM_RUNS: Final = 20
LONGEST_S: Final = 5.0
"""Of measuring: a model of 100 ms a row is measured by some 25 runs of each version."""

Feeds = Mapping[str, npt.NDArray[Any]]


def judge_budget(examination: Examination) -> GateResult:
    """Time runs of one row, the candidate's and the serving version's by turns, so that a busy machine hits both."""
    rules, candidate, serving = examination.rules.budget, examination.candidate, examination.against
    pairs: list[tuple[ServableVersion, Feeds]] = [(candidate, examination.holdout.feeds)]
    if serving is not None and examination.holdout.feeds_against is not None:
        pairs.append((serving, examination.holdout.feeds_against))
    try:
        timed = _timed(pairs, examination.holdout.n)
    except RunFailed as failed:
        return judged("budget", [f"a run of one row fails: {failed}"], "")
    median_ms, p95_ms = float(np.median(timed[0])), float(np.quantile(timed[0], 0.95))
    memory_mb = candidate.memory_bytes / 1e6
    numbers = {"runs": len(timed[0]), "median_ms": median_ms, "p95_ms": p95_ms, "memory_mb": memory_mb}
    faults = []
    for limit, whose in ((rules.p95_ms, "policy"), (candidate.manifest.interface.limits.latency_ms, "manifest")):
        if limit is not None and p95_ms > limit:
            faults.append(
                f"95 % of single rows take up to {p95_ms:.3g} ms here, more than the {limit:g} ms of its {whose}"
            )
    if len(timed) > 1:
        numbers["serving_median_ms"] = float(np.median(timed[1]))
        ratio = median_ms / numbers["serving_median_ms"]
        if rules.ratio is not None and ratio > rules.ratio and median_ms > rules.ratio_from_ms:
            faults.append(
                f"a row takes {ratio:.3g} times as long as with the serving version, more than {rules.ratio:g}"
            )
    declared = candidate.manifest.serving.memory_bytes
    for most, whose in ((rules.memory_mb, "policy"), (declared / 1e6 if declared else None, "manifest")):
        if most is not None and memory_mb > most:
            faults.append(f"loading takes {memory_mb:.4g} MB here, more than the {most:g} MB of its {whose}")
    good = f"measured on this machine: a row takes {median_ms:.3g} ms, 95 % at most {p95_ms:.3g} ms; {memory_mb:.3g} MB"
    return judged("budget", faults, good, numbers)


def _timed(pairs: list[tuple[ServableVersion, Feeds]], n: int) -> list[npt.NDArray[np.float64]]:
    """Return milliseconds of runs of one row, (runs,) for each version."""
    found: list[list[float]] = [[] for _ in pairs]
    begun = perf_counter()
    for i in range(WARM_RUNS + RUNS):
        for taken, (version, feeds) in zip(found, pairs, strict=True):
            row = take_rows(feeds, np.array([i % n]))
            start = perf_counter()
            version.run(row, 1)
            taken.append((perf_counter() - start) * 1e3)
        if perf_counter() - begun > LONGEST_S:
            break
    warm = min(WARM_RUNS, len(found[0]) // 2)
    return [np.array(taken[warm:]) for taken in found]
