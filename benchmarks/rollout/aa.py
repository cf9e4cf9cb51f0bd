"""How often is a version that is as good as the one that serves taken back?

    python -m benchmarks.rollout.aa [--rollouts 1000] [--first 0] [--json FILE] [--border]

Claim: of 1,000 rollouts of an equal version, with sticky keys of Zipf popularity, bursts, daily load, 2 % of keys that
fail 30 to 100 % of their requests, stalls of the host, and weights that change up to six times, evidence takes back at
most 4; thresholds on a window take back most. Each rollout is looked at every simulated minute.

With ``--border`` versions that are worse by just what a gate tolerates: where it aborts at most 0.5 % (errors) or
0.2 % (latency) of the rollouts may be taken back, where it passes at most 5 % may be completed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.rollout.rules import RULES
from benchmarks.rollout.simulated import Ended, simulate
from benchmarks.rollout.traffic import Harm, TrafficSpec
from gateway.rollout.plan import Plan
from monitors.records import ErrorGuard, Guards, LatencyGuard

__all__ = ["FEW", "MANY", "borders", "families", "summary"]

GUARDS = Guards(errors=ErrorGuard(margin=0.02), latency=LatencyGuard(ratio=1.25, slack_ms=5.0))
FEW = Plan(steps=(5.0, 25.0, 50.0), shadow=None, bake_s=600.0, guards=GUARDS)
MANY = Plan(steps=(1.0, 5.0, 10.0, 25.0, 50.0, 75.0), shadow=None, bake_s=600.0, guards=GUARDS)


def families() -> dict[str, tuple[Plan, TrafficSpec]]:
    """Return the kinds of traffic, each with a plan; rollouts take them in turn."""
    return {
        "all of it": (FEW, TrafficSpec()),
        "six weights": (MANY, TrafficSpec(per_s=60.0)),
        "heavier keys": (FEW, TrafficSpec(zipf=1.15, per_s=60.0)),
        "many bursts": (FEW, TrafficSpec(bursts=12.0)),
        "many stalls": (FEW, TrafficSpec(stalls=0.25)),
    }


def borders() -> dict[str, tuple[Plan, TrafficSpec, Harm]]:
    """Return versions at the borders of gates: they fail more, or are slower, by just so much that it is tolerated.

    Of a key's first request a share of 2 % fails on stable; 2 % more is the margin, and 0.2 % more the ratio of 1.1.
    """
    steady = TrafficSpec(zipf=0.7, poison=0.0, failing=0.02, bursts=0.0, stalls=0.0, keys=400_000, hop_s=0.0)
    errors = replace(GUARDS, latency=None, predictions=None)
    long = replace(FEW, steps=(5.0,), guards=errors, hold_s=14_400.0)
    slow = replace(long, guards=replace(GUARDS, predictions=None))
    return {
        "errors at the margin": (long, steady, Harm(failing=0.02 / 0.98)),
        "errors at 1.1 times": (long, steady, Harm(failing=0.002 / 0.98)),
        "latency at the limit, less 0.5 ms": (slow, replace(steady, failing=0.001, hop_s=0.0045), Harm(slower=1.25)),
    }


def run(first: int, rollouts: int, *, at_borders: bool = False) -> Iterator[tuple[str, Ended]]:
    """Yield the family and the end of each rollout."""
    alike = [(name, (plan, traffic, Harm())) for name, (plan, traffic) in families().items()]
    kinds = list(borders().items()) if at_borders else alike
    for seed in range(first, first + rollouts):
        name, (plan, traffic, harm) = kinds[seed % len(kinds)]
        yield name, simulate(plan, traffic, seed, harm=harm)


def summary(ended: list[tuple[str, Ended]]) -> str:
    """Return the table of all families."""
    lines = ["| Traffic | Rollouts | Taken back by evidence | Stalled | Completed | " + " | ".join(RULES) + " |"]
    lines.append("|---" * (5 + len(RULES)) + "|")
    for name in [*families(), *borders(), "together"]:
        rows = [one for family, one in ended if name in (family, "together")]
        if not rows:
            continue
        ends = Counter("back" if one.gates else one.state for one in rows)
        fired = [str(sum(rule in one.rules for one in rows)) for rule in RULES]
        stalled = len(rows) - ends["back"] - ends["completed"]
        cells = [name, str(len(rows)), str(ends["back"]), str(stalled), str(ends["completed"]), *fired]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run some rollouts, append one line of JSON for each, and print the table of all in the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--border", action="store_true", help="versions worse by what is just tolerated")
    parser.add_argument("--json", type=Path, default=Path("aa.jsonl"))
    arguments = parser.parse_args()
    with arguments.json.open("a") as file:
        for name, one in run(arguments.first, arguments.rollouts, at_borders=arguments.border):
            file.write(json.dumps([name, asdict(one)]) + "\n")
            file.flush()
    rows = [json.loads(line) for line in arguments.json.read_text().splitlines()]
    print(summary([(name, Ended(**{**one, "gates": tuple(one["gates"])})) for name, one in rows]))


if __name__ == "__main__":
    main()
