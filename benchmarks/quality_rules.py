"""What do data-quality rules cost a request?

Run: ``.venv/bin/python benchmarks/quality_rules.py``

Claim: a model without rules pays nothing; six rules, one of each kind and one about a sum, cost a request of one row of
30 numbers at most 10 microseconds, and in a batch of 32 such requests at most 3 microseconds each.

Decodes bodies with and without rules in interleaved rounds, and prints the least processor time of all rounds.
``alone`` decodes and judges a request by itself, ``batched`` as lanes do: 32 requests are read one by one and then
become one matrix.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial

from gateway.codec.decoders import Decoders
from gateway.contract import Contract, Feature, OutputBinding
from gateway.rules import Categories, Freshness, Missingness, Range, Relation, Rule
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

ROUNDS = 41
ROUND_S = 0.02
WIDTH = 30
RULES = (
    Rule(name="in-order", action="reject", relation=Relation(left="x0", operator="<=", right="x1")),
    Rule(name="adds-up", relation=Relation(left=("x2", "x3"), operator="==", right="x4", tolerance=0.01)),
    Rule(name="fresh", freshness=Freshness(feature="x5", max_age_s=1e9)),
    Rule(name="known", missing=Missingness(features=("x27", "x28", "x29"), at_most=1)),
    Rule(name="sane", range=Range(feature="x6", min=0, max=10)),
    Rule(name="listed", categories=Categories(feature="x7", one_of=(0.0, 1.0, 2.0))),
)


def decoders_of(rules: tuple[Rule, ...], *, may_miss: bool) -> Decoders:
    """Return the decoders of a matrix model."""
    features = tuple(Feature(f"x{j}", "float32", missing="flag" if may_miss else "reject") for j in range(WIDTH))
    contract = Contract("matrix", features, OutputBinding(), "X", rules=rules)
    inputs = {"X": TensorSpec("X", "float32", (-1, WIDTH))}
    return Decoders(contract, inputs, ("y",), LimitSettings(), names=("m", "1"), ranks={})


def body(rows: int) -> bytes:
    """Return a request that breaks no rule."""
    row = [1.0, 2.0, 0.25, 0.5, 0.75, time.time(), 3.0, 1.0, *[0.5] * (WIDTH - 8)]
    return json.dumps({"instances": [row] * rows}).encode()


def microseconds(work: Callable[[], object]) -> float:
    """Return what one call costs now."""
    calls, started = 0, time.process_time()
    while (spent_s := time.process_time() - started) < ROUND_S:
        work()
        calls += 1
    return 1e6 * spent_s / calls


def works(decoders: Decoders) -> dict[str, tuple[Callable[[], object], int]]:
    """Return what is measured, and how many requests it answers."""
    read, one = decoders.by_protocol["plain"], body(1)

    def batched() -> None:
        assert decoders.stack([read(one, None) for _ in range(32)]) is not None

    alone = {f"alone, {n} rows": (partial(decoders.plain.decode, body(n)), 1) for n in (1, 8, 32, 256)}
    return {**alone, "batched, 32 requests of 1 row": (batched, 32)}


def main() -> None:
    """Measure and print."""
    kinds = {"no rules": works(decoders_of((), may_miss=True)), "6 rules": works(decoders_of(RULES, may_miss=True))}
    print(f"{'microseconds a request':32}" + "".join(f"{kind:>12}" for kind in kinds))
    for name in next(iter(kinds.values())):
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind, measured in kinds.items():
                work, requests = measured[name]
                found[kind].append(microseconds(work) / requests)
        print(f"{name:32}" + "".join(f"{min(each):12.2f}" for each in found.values()))


if __name__ == "__main__":
    main()
