"""How the error probability of a rollout is split: in writing, over gates, tripwires, steps and beginnings.

A version that is as good as the one that serves is aborted, or given up by a worker, with a probability of at most
``ALPHA`` a rollout. By the union bound it may be shared out, whatever the dependence between the gates. Gates that look
at every canary step share theirs over the steps; workers share that of the tripwires. Evidence that had to begin anew
(its leader was replaced; a worker's route changed) may spend ``1 / ((k + 1) (k + 2))`` of its share at beginning k = 0,
1, ...; these parts sum to one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from types import MappingProxyType
from typing import Literal

from monitors.records import GateName, TrialSpec

__all__ = ["ALPHA", "PASS_ALPHA", "SHARES", "abort_alpha", "abort_level", "tripwire_level"]

ALPHA = 0.01
"""Probability that a rollout of an equally good version is aborted."""

PASS_ALPHA = 0.05
"""Probability that a candidate that is worse by the whole margin passes a gate; all gates have to be passed."""

SHARES: Mapping[GateName | Literal["tripwires"], float] = MappingProxyType(
    {
        "errors": 0.5,
        "latency": 0.2,
        "predictions": 0.1,
        "tripwires": 0.05,
        "outcomes": 0.03,
        "shadow": 0.055,
        "baking": 0.055,
        "split": 0.01,
    }
)
"""The shares of ``ALPHA``, of each gate and of all workers' tripwires together."""

_EVERY_STEP: frozenset[GateName] = frozenset({"errors", "latency", "predictions", "outcomes"})


def abort_alpha(gate: GateName, spec: TrialSpec) -> float:
    """Return the probability with which a gate may abort an equally good candidate in this stage.

    >>> spec = TrialSpec(rollout="r", model="m", stable="1", candidate="2", stage="canary", steps=4)
    >>> round(1 / abort_alpha("errors", spec))
    1600
    """
    steps = spec.steps if gate in _EVERY_STEP else 1
    steps += gate == "outcomes"  # they are still looked at in the bake
    return ALPHA * SHARES[gate] / steps / ((spec.restarts + 1) * (spec.restarts + 2))


def abort_level(gate: GateName, spec: TrialSpec) -> float:
    """Return the evidence, in nats, at which a gate aborts (Ville's inequality)."""
    return -log(abort_alpha(gate, spec))


def tripwire_level(workers: int, beginnings: int = 0) -> float:
    """Return the evidence, in nats, at which one of so many workers gives up a canary by itself.

    Parameters
    ----------
    workers
        How many workers share the tripwires' part.
    beginnings
        How often this worker's evidence on the canary has begun anew.

    >>> round(tripwire_level(4), 1)
    9.7
    """
    if workers < 1 or beginnings < 0:
        raise ValueError(f"workers are at least 1 and beginnings at least 0, not {workers} and {beginnings}")
    return log(workers * (beginnings + 1) * (beginnings + 2) / (ALPHA * SHARES["tripwires"]))
