"""How many outcomes does it take until a version that is wrong more often is taken back, and how often is an equal one?

    python -m benchmarks.rollout.outcomes [--rollouts 1000] [--runs 100]

Claim: by outcomes alone, a canary that is wrong on 40 % of its keys where stable is on 10 % is taken back after some 60
of its keys at a weight of 5 %, and some 150 at 50 %; one that is wrong on 15 % takes thousands of keys. Of 1,000
rollouts of an equal version at most one or two are. Outcomes are made up, come in reports of 50 keys and are looked at
after each; the join and the evidence are the real ones.
"""

from __future__ import annotations

import argparse
from statistics import median

import numpy as np

from monitors.records import OutcomeGuard, TrialSpec, TrueOutcome
from monitors.trials.joining import Answer, OutcomeJoin
from monitors.trials.outcomes import OutcomeEvidence, outcomes_verdict

__all__ = ["keys_until_abort"]

GUARD = OutcomeGuard()
REPORT = 50


def keys_until_abort(wrong: float, stable_wrong: float, weight: float, seed: int, *, most: int = 20_000) -> int | None:
    """Return how many keys of the canary had an outcome when it was taken back; ``None`` if it never was."""
    rng = np.random.default_rng(seed)
    spec = TrialSpec(rollout="r", model="m", stable="1", candidate="2", stage="canary", steps=3)
    join, evidence = OutcomeJoin(), OutcomeEvidence(tolerated=GUARD.ratio)
    for first in range(0, most, REPORT):
        names = [str(key) for key in range(first, first + REPORT)]
        is_canarys = rng.random(REPORT) < weight
        is_wrong = rng.random(REPORT) < np.where(is_canarys, wrong, stable_wrong)
        for name, of_candidate, missed in zip(names, is_canarys.tolist(), is_wrong.tolist(), strict=True):
            join.expect(name, 0, Answer(of_candidate, 0, "no" if missed else "yes"))
        join.take([TrueOutcome(name, "yes") for name in names])
        evidence.add(join.cut())
        verdict = outcomes_verdict(spec, GUARD, evidence, foresee=False)
        if verdict is not None and verdict.result == "abort":
            return verdict.samples
    return None


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=100)
    arguments = parser.parse_args()
    print("| Wrong on the canary, 10 % on stable | Weight | Taken back | Canary keys with an outcome, median |")
    for wrong in (0.15, 0.2, 0.4):
        for weight in (0.05, 0.5):
            ended = [keys_until_abort(wrong, 0.1, weight, seed) for seed in range(arguments.runs)]
            found = [keys for keys in ended if keys is not None]
            middle = f"{median(found):,.0f}" if found else "-"
            print(f"| {100 * wrong:g} % | {100 * weight:g} % | {len(found)} of {len(ended)} | {middle} |", flush=True)
    rng, back = np.random.default_rng(0), 0
    for seed in range(arguments.rollouts):
        share, weight = float(rng.choice([0.02, 0.1, 0.4])), float(rng.choice([0.05, 0.25, 0.5]))
        back += keys_until_abort(share, share, weight, 10_000 + seed, most=5_000) is not None
    print(f"equal versions taken back: {back} of {arguments.rollouts}")


if __name__ == "__main__":
    main()
