"""How does Weir behave in trouble: at twice its load, beside broken versions, during reloads, with bad clients?

Run: ``.venv/bin/python -m benchmarks.serving.trials`` (all, about an hour) or with names of trials. Every part of
a trial is kept as soon as it is measured and not measured again, so a run that was stopped goes on, which
``--stop-after-minutes 8`` does by itself; ``--anew`` forgets what the named trials found. ``--write`` puts the tables
into ``docs/performance.md``. ``--scale 0.05`` tries the code.

Claim: under bursts of twice its capacity Weir answers as many requests in time as its capacity allows, less the cost of
refusing the rest; it fails by nothing but 503 and 504, and is whole again within a second. Stable's clients do not
notice a shadow or canary that hangs, raises, dies or is fifty times slower. A model of 100 MB is replaced under load
without a failed request. Two workers are worth 1.7 of one. Ten minutes of bad clients leave the counters exact and
nothing behind.

The server is pinned to the first core and the load generator to the last, as in ``benchmarks.serving``.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.serving.machine import cores
from benchmarks.serving.trials import isolation, overload, reload, soak, start, workers
from benchmarks.serving.trials.page import write_page
from benchmarks.serving.trials.plan import Plan
from benchmarks.serving.trials.records import Record, keep, kept

_ROOT = Path(__file__).parents[3]
_WORK = _ROOT / ".weir/benchmarks"

Part = Callable[[Plan], Record]
_TRIALS: dict[str, dict[str, Part]] = {
    "overload": {part: partial(overload.overload, part=part) for part in overload.PARTS},
    "quota": {"quota": overload.quota},
    "isolation": {name: partial(isolation.isolation, part=name) for name in isolation.PARTS},
    "start": {"start": start.start},
    "reload": {"reload": reload.reload},
    "workers": {"workers": workers.workers},
    "soak": {"soak": soak.soak},
}
_ONCE = ("soak",)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving.trials", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"some of {', '.join(_TRIALS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the length of every stretch")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the soak")
    parser.add_argument("--foreign-limit", type=float, default=0.05, help="share of a core that others may take")
    parser.add_argument("--repeats", type=int, default=2, help="how often a disturbed part is measured again")
    parser.add_argument("--stop-after-minutes", type=float, default=math.inf, help="begin no further part after that")
    parser.add_argument("--anew", action="store_true", help="forget what the named trials found before")
    parser.add_argument("--write", action="store_true", help="only write what was found into docs/performance.md")
    parser.add_argument("--remark", default="", help="a sentence about the machine for the page")
    parser.add_argument("--out", type=Path, default=_WORK / "trials", help="folder of the results")
    options = parser.parse_args()
    if unknown := set(options.trials) - set(_TRIALS):
        parser.error(f"no trial {', '.join(sorted(unknown))}")
    return options


def _run(options: argparse.Namespace) -> None:
    machine = cores()
    os.sched_setaffinity(0, {machine[-1]})
    until_s = time.perf_counter() + options.stop_after_minutes * 60
    for file, name, round_, part in _left(options):
        if time.perf_counter() > until_s:
            print("not complete: call again")
            return
        plan = Plan(scale=options.scale, minutes=options.minutes, round=round_, cores=machine, folder=_WORK)
        _keep(file, _calmest(options, partial(part, plan), 0 if name in _ONCE else options.repeats))
    print("complete")


def _left(options: argparse.Namespace) -> list[tuple[Path, str, int, Part]]:
    """Return the parts that are still to be measured, rounds interleaved."""
    left = []
    for trial in options.trials or _TRIALS:
        file = options.out / f"{trial}.jsonl"
        if options.anew:
            file.unlink(missing_ok=True)
        have = {(record.part, record.round) for record in kept(file)}
        left += [
            (file, name, round_, part)
            for round_ in range(1 if trial in _ONCE else options.rounds)
            for name, part in _TRIALS[trial].items()
            if (name, round_) not in have
        ]
    return left


def _calmest(options: argparse.Namespace, part: Callable[[], Record], repeats: int) -> Record:
    """Repeat a part that others disturbed; give the least disturbed one."""
    best = part()
    for _ in range(repeats):
        if best.foreign > options.foreign_limit:
            best = min(best, part(), key=lambda record: record.foreign)
    return best


def _keep(file: Path, record: Record) -> None:
    keep(file, record)
    print(f"{file.stem:10s} {record}", flush=True)


def main() -> None:
    """Measure, or write the page."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.write:
        records = [record for trial in _TRIALS for record in kept(options.out / f"{trial}.jsonl")]
        write_page(_ROOT / "docs/performance.md", records, options.remark)
    else:
        _run(options)


if __name__ == "__main__":
    main()
