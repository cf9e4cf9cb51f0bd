"""How does Weir compare with floors and peers, on one core, with the same models and the same load?

Run: ``.venv/bin/python -m benchmarks.serving`` (two hours and a half; ``--quick``, one round of two seconds a cell:
half an hour). Every server is kept as soon as it is measured: ``--add`` goes on where a campaign stopped, and with
``--stop-after-minutes 9`` it stops by itself, to be called again until it says that nothing is left. Then
``.venv/bin/python -m benchmarks.serving --write`` puts the tables of the last campaign into ``docs/performance.md``.

Claim: on a small model at 64 connections Weir answers at least ten times the requests of the fastest peer and 1.5 times
those of uvicorn's bare ASGI floor; on an MLP of two milliseconds at least 1.5 times the fastest peer and 75 % of ONNX
Runtime's own batched rows.

All processes of a server are pinned to the first core, the load generator to the last. Rounds are interleaved;
a stretch in which other processes took more CPU than the limit is repeated and the least disturbed one kept; every
status is counted and the newest answer of each connection compared with the model's own numbers.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.campaign import Case, Plan, measure
from benchmarks.serving.floor import FLOOR, load_model, measure_floor
from benchmarks.serving.machine import cores
from benchmarks.serving.models import MODELS, rows, write_models
from benchmarks.serving.page import write_page
from benchmarks.serving.result import Failure, Result, append, read
from benchmarks.serving.servers import SERVERS, Server
from benchmarks.serving.summary import Summary

_ROOT = Path(__file__).parents[2]
_WORK = _ROOT / ".weir/benchmarks"
_LINES = _WORK / "serving.jsonl"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, two seconds a cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one cell")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument(
        "--servers", nargs="+", metavar="WORD", help="only servers whose name contains one of the words"
    )
    parser.add_argument("--with-optional", action="store_true", help="also Triton by pytriton, and Ray Serve")
    parser.add_argument("--no-open-loop", action="store_true")
    parser.add_argument("--foreign-limit", type=float, default=0.05, help="share of a core that others may take")
    parser.add_argument("--repeats", type=int, default=2, help="how often a disturbed cell is measured again")
    parser.add_argument("--add", action="store_true", help="go on with the last campaign; what it has is not repeated")
    parser.add_argument("--stop-after-minutes", type=float, default=math.inf, help="begin no further server after that")
    parser.add_argument("--out", type=Path, default=_LINES, help="file of the results")
    parser.add_argument("--write", action="store_true", help="only write the last campaign into docs/performance.md")
    parser.add_argument("--remark", default="", help="a sentence about the machine for the page")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Server]:
    words = [word.lower() for word in options.servers or [""]]
    found = [server for server in SERVERS if any(word in server.name.lower() for word in words)]
    return [server for server in found if options.with_optional or options.servers or not server.optional]


def _plan(options: argparse.Namespace, core: int) -> Plan:
    return Plan(
        seconds=2.0 if options.quick else options.seconds,
        warm_s=0.5 if options.quick else 1.0,
        connections=(1, 16, 64),
        multiples=() if options.no_open_loop else (0.8, 2.0),
        deadline_ms=1000,
        variation=2.0,
        foreign_limit=options.foreign_limit,
        repeats=0 if options.quick else options.repeats,
        core=core,
    )


def _run(options: argparse.Namespace) -> None:
    servers = _chosen(options)
    environments = sorted({server.environment for server in servers if server.environment})
    subprocess.run([Path(__file__).parent / "environment", *environments], check=True)
    files = write_models(_WORK / "models", options.models)
    if not options.add:
        options.out.unlink(missing_ok=True)
    server_core, generator_core = cores()
    os.sched_setaffinity(0, {generator_core})
    plan, x_nd = _plan(options, server_core), rows(64 * 32)
    until_s = time.perf_counter() + options.stop_after_minutes * 60
    for round_, model, server in _left(options, servers):
        if time.perf_counter() > until_s:
            print("not complete: call again with --add")
            return
        run = load_model(files[model])
        cells: list[Result | Failure] = []
        if server is None:
            cells += measure_floor(model, run, x_nd, core=server_core, seconds=plan.seconds / 4, round_=round_)
        else:
            cells += measure(plan, Case(server, model, files[model], round_, run, x_nd), _WORK / "environments")
        for cell in cells:
            _keep(options.out, cell)
    print("complete")


def _left(options: argparse.Namespace, servers: list[Server]) -> list[tuple[int, str, Server | None]]:
    """Return what is still to be measured, in order; no server is ONNX Runtime alone."""
    results, failures = read(options.out) if options.out.exists() else ([], [])
    have = {(one.round, one.model, one.server) for one in results}
    have |= {(one.round, one.model, one.server) for one in failures}
    return [
        (round_, model, server)
        for round_ in range(1 if options.quick else options.rounds)
        for model in options.models
        for server in (None, *(server for server in servers if model in server.models))
        if (round_, model, server.name if server else FLOOR) not in have
    ]


def _keep(file: Path, result: Result | Failure) -> None:
    append(file, result)
    if isinstance(result, Failure):
        print(f"{result.model:6s} {result.server:18s} FAILED {result.reason}", flush=True)
        return
    print(
        f"{result.model:6s} {result.server:18s} {result.kind:6s} {result.level:5g} {result.goodput:9.0f}/s"
        f"  p50 {result.p50_ms:8.3f}  p99 {result.p99_ms:8.3f} ms  foreign {result.foreign:4.0%}"
        f"  idle {result.idle:4.0%}  {result.statuses or ''}",
        flush=True,
    )


def _how(results: Sequence[Result], remark: str) -> str:
    rounds = len({result.round for result in results})
    repeated = sum(result.repeats for result in results)
    loud = sum(result.foreign > 0.05 for result in results)
    return (
        f"Rounds: {rounds}. Cells: {len(results)}, of which {loud} had other processes on more than 5 % of a core; "
        f"{repeated} disturbed measurements were discarded. {remark}"
    ).strip()


def main() -> None:
    """Measure, or write the page."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not options.write:
        _run(options)
        return
    results, failures = read(options.out)
    write_page(_ROOT / "docs/performance.md", Summary(results), failures, _how(results, options.remark))


if __name__ == "__main__":
    main()
