"""How soon is a bad version taken back, in requests and keys of the canary?

    python -m benchmarks.rollout.power [--runs 40] [--only HARM]

Claim: at a canary of 5 %, a version that fails 30 % of its requests is taken back within some twenty keys, one that
fails 5 %, or collapses to one answer, within a few hundred; one that fails 2 % takes thousands, and so does 5 % more
latency, by a plan that tolerates none. Beside it, on the same traffic, thresholds on a window of five minutes, which
also take back equal versions (see ``aa``). A version whose shadow disagrees is never a canary.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks.rollout.rules import RULES
from benchmarks.rollout.simulated import simulate
from benchmarks.rollout.traffic import Harm, TrafficSpec
from gateway.rollout.plan import Plan
from monitors.records import ErrorGuard, Guards, LatencyGuard, TrialSpec
from monitors.trials.counts import TrialCounts
from monitors.trials.trial import Trial

__all__ = ["harms", "shadow_requests"]

TRAFFIC = TrafficSpec(zipf=0.7, poison=0.0, failing=0.01, bursts=0.0, stalls=0.0, keys=400_000, block_s=10.0)
TIGHT = Guards(latency=LatencyGuard(ratio=1.25, slack_ms=5.0))
PLAN = Plan(steps=(5.0, 50.0), shadow=None, dwell_s=1e6, guards=TIGHT)
STRICT = Guards(errors=ErrorGuard(), latency=LatencyGuard(quantiles=(0.5,), ratio=1.0, slack_ms=0.5))
LONGEST = 1_000


def harms() -> dict[str, tuple[Plan, Harm]]:
    """Return what may be wrong with a version, by name, with the plan that is to notice it."""
    return {
        "errors 1 % to 2 %": (PLAN, Harm(failing=0.01)),
        "errors 1 % to 5 %": (PLAN, Harm(failing=0.04)),
        "errors 1 % to 30 %": (PLAN, Harm(failing=0.29)),
        "latency 5 % worse, none tolerated": (replace(PLAN, guards=STRICT), Harm(slower=1.05)),
        "latency twice": (PLAN, Harm(slower=2.0)),
        "one class, one score": (PLAN, Harm(collapsed=True)),
    }


def shadow_requests(share: float, seed: int) -> int:
    """Return after how many compared requests a shadow that disagrees on a share of them is turned away."""
    rng = np.random.default_rng(seed)
    trial = Trial(TrialSpec(rollout="r", model="m", stable="1", candidate="2", stage="shadow"))
    while trial.verdicts(foresee=False)[0].result != "abort" and trial.counts.compared < 100_000:
        trial.add(TrialCounts(compared=10, disagreed=int(rng.binomial(10, share))))
    return trial.counts.compared


def rows(runs: int, only: str) -> Iterator[str]:
    """Yield the table line by line, of the harms whose name contains a word."""
    yield "| The candidate's harm | Found | Canary requests | Canary keys | " + " | ".join(RULES) + " |"
    yield "|---" * (4 + len(RULES)) + "|"
    chosen = {name: case for name, case in harms().items() if only in name}
    for name, (plan, harm) in chosen.items():
        ended = [simulate(plan, TRAFFIC, seed, harm=harm, most_minutes=LONGEST) for seed in range(runs)]
        found = [one for one in ended if one.gates]
        rules = [_shown([one.rules[rule] for one in ended if rule in one.rules], runs) for rule in RULES]
        cells = [f"{len(found)} of {runs}", _median([one.canary_requests for one in found])]
        yield " | ".join(["| " + name, *cells, _median([one.canary_keys for one in found]), *rules]) + " |"
    for share in (0.15, 0.2, 0.4) if only in "shadow" else ():
        found_after = [shadow_requests(share, seed) for seed in range(runs)]
        words = f"shadow disagrees on {100 * share:.0f} %, limit 10 %"
        yield f"| {words} | {runs} of {runs} | 0 ({_median(found_after)} compared) | 0 |" + " - |" * len(RULES)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    for line in rows(arguments.runs, arguments.only):
        print(line, flush=True)


def _median(values: list[int]) -> str:
    return f"{median(values):,.0f}" if values else "-"


def _shown(values: list[int], runs: int) -> str:
    return f"{_median(values)} ({len(values)} of {runs})" if values else "never"


if __name__ == "__main__":
    main()
