"""Traffic of one rollout in simulated time: sticky heavy keys, bursts, days, keys that fail, stalls of the host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "Harm", "Traffic", "TrafficSpec"]

DAY_S = 86_400.0
STALL_S = 5.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TrafficSpec:
    """What the traffic is like.

    Parameters
    ----------
    keys, zipf
        Number of keys, and the exponent of their popularity; 0 makes all alike.
    per_s
        Requests a second in the mean of a day.
    swing
        How far the load goes up and down with the day.
    bursts
        Keys that send 20 to 200 requests at once, in a block.
    poison
        Share of keys of whose requests 30 to 100 % fail, whoever answers.
    failing
        Share of all other requests that fail.
    stalls
        Probability of a stall of the whole host in a block.
    block_s
        Seconds of a block, after each of which the evidence is looked at.
    hop_s
        What the canary's own thread and smaller batches cost it, equal as the versions are.
    """

    keys: int = 100_000
    zipf: float = 1.0
    per_s: float = 30.0
    swing: float = 0.6
    bursts: float = 2.0
    poison: float = 0.02
    failing: float = 0.001
    stalls: float = 0.03
    block_s: float = 60.0
    hop_s: float = 0.0005


@dataclass(frozen=True, slots=True)
class Harm:
    """What is wrong with the candidate: a share of its requests fails, it is slower, it answers one class."""

    failing: float = 0.0
    slower: float = 1.0
    collapsed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The requests of a block in the order in which they came.

    ``repeated_n`` marks a failure of the candidate that stable then repeated on the same request.
    """

    keys_n: Ints
    is_canary_n: Bools
    failed_n: Bools
    repeated_n: Bools
    durations_n: Floats
    classes_n: Ints
    scores_n: Floats


class Traffic:
    """The traffic of one rollout; everything about a key is drawn once."""

    def __init__(self, spec: TrafficSpec, rng: np.random.Generator, harm: Harm | None = None) -> None:
        self.spec, self._rng, self._harm = spec, rng, harm or Harm()
        ranks = np.arange(1, spec.keys + 1, dtype=np.float64) ** -spec.zipf
        self._popularity = np.cumsum(ranks / ranks.sum())
        self.buckets = rng.integers(0, 10_000, spec.keys)
        is_poison = rng.random(spec.keys) < spec.poison
        self._failing = np.where(is_poison, rng.uniform(0.3, 1.0, spec.keys), spec.failing)
        self._pace_s = 0.008 * rng.lognormal(0.0, 0.4, spec.keys)
        self._class = (rng.random(spec.keys) < 0.3).astype(np.int64)
        self._score = rng.beta(6.0, 2.0, spec.keys)
        self._phase = rng.uniform(0.0, DAY_S)

    def block(self, now_s: float, weight_bp: int) -> Block:
        """Return the requests of the block that begins at ``now_s`` under a weight."""
        rng, spec, harm = self._rng, self.spec, self._harm
        load = spec.per_s * spec.block_s * (1.0 + spec.swing * np.sin(2 * np.pi * (now_s + self._phase) / DAY_S))
        keys_n = np.searchsorted(self._popularity, rng.random(rng.poisson(load)))
        for _ in range(rng.poisson(spec.bursts)):
            keys_n = np.append(keys_n, np.full(rng.integers(20, 200), rng.integers(spec.keys)))
        keys_n = np.minimum(rng.permutation(keys_n), spec.keys - 1)
        n = len(keys_n)
        is_canary_n = self.buckets[keys_n] < weight_bp
        chance_n = self._failing[keys_n]
        failed_n = rng.random(n) < np.where(is_canary_n, 1 - (1 - chance_n) * (1 - harm.failing), chance_n)
        repeated_n = failed_n & is_canary_n & (rng.random(n) < chance_n)
        durations_n = self._pace_s[keys_n] * rng.lognormal(0.0, 0.3, n)
        durations_n = np.where(is_canary_n, durations_n * harm.slower + spec.hop_s, durations_n)
        if rng.random() < spec.stalls:
            durations_n = durations_n + np.where(
                rng.random(n) < STALL_S / spec.block_s, rng.uniform(0, STALL_S, n), 0.0
            )
        is_hurt_n = is_canary_n & harm.collapsed
        classes_n = np.where(is_hurt_n, 1, self._class[keys_n])
        scores_n = np.where(is_hurt_n, 0.999, self._score[keys_n])
        return Block(keys_n, is_canary_n, failed_n, repeated_n, durations_n, classes_n, scores_n)
