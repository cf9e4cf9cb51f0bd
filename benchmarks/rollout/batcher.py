"""How often is an equal version taken back at 5:95 through the real batcher, whose batches differ by arm?

    python -m benchmarks.rollout.batcher [--rollouts 100] [--first 0] [--seconds 5] [--json FILE]

Claim: 64 callers in a closed loop give stable batches several times as large as those of a canary of 5 %, which has a
thread of its own besides, so that latencies differ though models do not; by the default guards evidence takes back at
most 4 in 1,000 all the same. Pipeline, lanes, batch sizes, canary fallback, tripwire, tap and failure feed of a worker
are the real ones with its default settings; the evidence is looked at every 250 ms, by the default guards, and by
tighter ones on the same traffic. Two models take turns, one of microseconds, which stable runs on the loop, and one of
a fraction of a millisecond, always in a thread; each with callers that ask without a pause, which leaves the worker no
moment, and with callers that pause.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.rollout.served import GUARDS, MODELS, Served, loaded_pair, serve

__all__ = ["summary"]


KINDS = {
    "small, no pause": ("small", 0.0),
    "perceptron, no pause": ("perceptron", 0.0),
    "small, pauses": ("small", 0.02),
    "perceptron, pauses": ("perceptron", 0.02),
}
"""The model, and the seconds of a caller's pause in the mean."""


def run(first: int, rollouts: int, seconds: float) -> Iterator[Served]:
    """Yield each rollout as it ends; kinds take turns."""
    with TemporaryDirectory() as folder:
        pairs = {name: loaded_pair(Path(folder), name) for name in MODELS}
        for seed in range(first, first + rollouts):
            kind = list(KINDS)[seed % len(KINDS)]
            model, pause_s = KINDS[kind]
            yield serve(kind, pairs[model], seed, seconds=seconds, pause_s=pause_s)


def summary(served: Iterable[Served]) -> str:
    """Return the table, a row for each kind; medians over the rollouts."""
    found = list(served)
    guards = " | ".join(f"Taken back, {name}" for name in GUARDS)
    lines = [f"| Model and callers | Rollouts | Canary keys | Rows a run | p50, ms | p95, ms | {guards} |"]
    lines.append("|---" * (6 + len(GUARDS)) + "|")
    for kind in KINDS:
        rows = [one for one in found if one.kind == kind]
        if not rows:
            continue
        sizes = _both([{arm: one.rows_a_run(arm) for arm in ("stable", "canary")} for one in rows], "{:.1f}")
        p50, p95 = _both([one.p50_ms for one in rows], "{:.2f}"), _both([one.p95_ms for one in rows], "{:.2f}")
        back = [str(sum(bool(one.aborted[name]) for one in rows)) for name in GUARDS]
        cells = [kind, str(len(rows)), f"{median(one.keys for one in rows):.0f}", sizes, p50, p95, *back]
        lines.append("| " + " | ".join(cells) + " |")
    fallbacks, trips = sum(one.fallbacks for one in found), sum(one.has_tripped for one in found)
    lines.append(f"{fallbacks} failures mended, {trips} canaries given up, {sum(one.sheds for one in found)} shed")
    return "\n".join(lines)


def main() -> None:
    """Run some rollouts, append one line of JSON for each, and print the table of all in the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path, default=Path("batcher.jsonl"))
    arguments = parser.parse_args()
    with arguments.json.open("a") as file:
        for one in run(arguments.first, arguments.rollouts, arguments.seconds):
            file.write(json.dumps(asdict(one)) + "\n")
            file.flush()
    print(summary(Served(**json.loads(line)) for line in arguments.json.read_text().splitlines()))


def _both(of_arms: list[dict[str, float]], shape: str) -> str:
    """Return the medians of both arms, stable's first."""
    return " : ".join(shape.format(median(one[arm] for one in of_arms)) for arm in ("stable", "canary"))


if __name__ == "__main__":
    main()
