"""How soon does a worker give up a bad canary by itself, and how often one that is as good as stable?

    python -m benchmarks.rollout.tripwire [--rollouts 1000] [--first 0] [--runs 40] [--only alike|harm]

Claim: with four workers, a canary that fails all keys is given up by each after a handful of them, one that fails 30 %
after some twenty; of 1,000 rollouts of an equal version, with sticky keys of Zipf popularity, bursts, 2 % of keys that
fail 30 to 100 % of their requests and six changes of the weight, workers give up less than one in a thousand.
Requests, keys and failures are made up; the tripwire is the real one, and requests come to the workers at random.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks.rollout.traffic import Harm, Traffic, TrafficSpec
from monitors.trials.tripwire import KeyTripwire

__all__ = ["Fleet", "alike", "harmed"]

WORKERS = 4
WEIGHTS_BP = (100, 500, 1_000, 2_500, 5_000, 7_500)
STEADY = TrafficSpec(zipf=0.7, poison=0.0, bursts=0.0, stalls=0.0, keys=400_000, block_s=10.0)
_SPREAD, _MOST = 0x9E3779B1, 1 << 32


class Fleet:
    """The workers of a gateway, each with its tripwire; ``given_up`` has the canary's keys that each had seen then."""

    def __init__(self, rng: np.random.Generator, workers: int = WORKERS) -> None:
        self._rng = rng
        self._tripwires = [KeyTripwire(workers) for _ in range(workers)]
        self._keys: list[set[int]] = [set() for _ in range(workers)]
        self.given_up: dict[int, int] = {}

    def next_step(self, weight_bp: int) -> None:
        """Change the weight: evidence begins anew."""
        for tripwire in self._tripwires:
            tripwire.reset(weight_bp)

    def serve(self, traffic: Traffic, now_s: float, weight_bp: int) -> None:
        """Answer the requests of a block."""
        block = traffic.block(now_s, weight_bp)
        at_n = self._rng.integers(len(self._tripwires), size=len(block.keys_n)).tolist()
        failed_n, repeated_n = block.failed_n.tolist(), block.repeated_n.tolist()
        each = zip(block.keys_n.tolist(), block.is_canary_n.tolist(), failed_n, repeated_n, at_n, strict=True)
        for key, is_canarys, has_failed, is_repeated, at in each:
            if at in self.given_up:
                continue
            tripwire, hashed = self._tripwires[at], int(traffic.buckets[key]) + 10_000 * (key * _SPREAD % _MOST)
            if is_canarys:
                tripwire.see(hashed)
                self._keys[at].add(key)
            if has_failed and not is_repeated and tripwire.fail(hashed, by_candidate=is_canarys):
                self.given_up[at] = len(self._keys[at])


def alike(first: int, rollouts: int) -> Iterator[tuple[str, int]]:
    """Yield the kind of traffic of each rollout of an equal version, and how many workers gave it up."""
    kinds = {
        "all of it": TrafficSpec(),
        "heavier keys": TrafficSpec(zipf=1.15),
        "many bursts": TrafficSpec(bursts=12.0),
        "5 % of all requests fail": TrafficSpec(failing=0.05),
        "half of all requests fail": TrafficSpec(failing=0.5),
    }
    for seed in range(first, first + rollouts):
        name = list(kinds)[seed % len(kinds)]
        rng = np.random.default_rng(seed)
        traffic, fleet = Traffic(kinds[name], rng), Fleet(rng)
        for step, weight_bp in enumerate(WEIGHTS_BP):
            fleet.next_step(weight_bp)
            for minute in range(10):
                fleet.serve(traffic, 60.0 * (10 * step + minute), weight_bp)
        yield name, len(fleet.given_up)


def harmed(failing: float, weight_bp: int, seed: int, *, most_blocks: int = 2_000) -> list[int]:
    """Return after how many of the canary's keys each worker gave it up; shorter where some never did."""
    rng = np.random.default_rng(seed)
    traffic, fleet = Traffic(replace(STEADY, failing=0.02), rng, Harm(failing=failing)), Fleet(rng)
    fleet.next_step(weight_bp)
    for block in range(most_blocks):
        if len(fleet.given_up) == WORKERS:
            break
        fleet.serve(traffic, 10.0 * block, weight_bp)
    return list(fleet.given_up.values())


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--only", choices=("alike", "harm"))
    arguments = parser.parse_args()
    if arguments.only != "alike":
        print("| Errors of the canary, 2 % on stable | Weight | Workers that gave up | Keys, median | 90 % |")
        for failing, weight_bp in [(f, w) for f in (0.05, 0.3, 1.0) for w in (500, 5_000)]:
            own = (failing - 0.02) / 0.98
            keys = [n for seed in range(arguments.runs) for n in harmed(own, weight_bp, seed)]
            found = f"{len(keys)} of {WORKERS * arguments.runs}"
            middle = f"{median(keys):.0f} | {np.quantile(keys, 0.9):.0f}" if keys else "- | -"
            print(f"| {100 * failing:g} % | {weight_bp / 100:g} % | {found} | {middle} |", flush=True)
    if arguments.only != "harm":
        ended: dict[str, list[int]] = {}
        for name, given_up in alike(arguments.first, arguments.rollouts):
            ended.setdefault(name, []).append(given_up)
        for name, counts in ended.items():
            print(f"| {name} | {len(counts)} | {sum(count > 0 for count in counts)} |")


if __name__ == "__main__":
    main()
