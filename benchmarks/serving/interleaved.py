"""How does Weir compare with a floor or a peer where the machine's own speed changes from second to second?

Run: ``.venv/bin/python -m benchmarks.serving.interleaved`` (two minutes; ``--model``, ``--servers``, ``--turns``,
``--connections`` choose; ``--floor 32`` also runs ONNX Runtime alone in batches of 32 on the servers' core).

Claim: on the small model at 64 connections Weir answers at least 1.5 times the requests of uvicorn's bare ASGI floor,
its ASGI path 0.65 times, and Weir ten times those of the fastest peer.

The campaign (``benchmarks.serving``) measures one server after the other, each for seconds, some half a minute apart:
on a virtual machine whose speed moves by a half within that time its ratios are those of the host. Here all servers
stand at once on the first core, and stretches of less than a second alternate between them, there and back: who was
first in one half of a turn is last in the other, so what a stretch owes to its place cancels. Each ratio is of the
same turn, and the table has the median over turns and the quartiles. What the others cost while they are idle, the one
that is measured pays: about 2 % of the core for each Weir, nothing for the floors. Two processes of the same server
differ by up to a tenth for as long as they live, by where their memory happens to lie; ``--starts`` averages over that.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, median, quantiles

from benchmarks.serving.campaign import Case
from benchmarks.serving.floor import FLOOR, Rows, Run, load_model, rows_per_s
from benchmarks.serving.load import closed_loop
from benchmarks.serving.machine import cores
from benchmarks.serving.markdown import table
from benchmarks.serving.models import MODELS, rows, write_models
from benchmarks.serving.process import free_port, running
from benchmarks.serving.servers import SERVERS, Server

__all__: list[str] = []

_WORK = Path(__file__).parents[2] / ".weir/benchmarks"
_FIRST = "Weir"
_SERVERS = (_FIRST, "Weir, ASGI path", "uvicorn bare ASGI", "raw protocol", "FastAPI async def")
_SETTLE_S = 5.0
_PAUSE_S = 0.3
"""After a stretch: some servers answer on for clients that have gone, 64 runs of the MLP long."""


def main() -> None:
    """Start all servers, measure them in turn, and print the table."""
    options = _options()
    named = {server.name: server for server in SERVERS}
    servers = [named[name] for name in options.servers if options.model in named[name].models]
    environments = sorted({server.environment for server in servers if server.environment})
    subprocess.run([Path(__file__).parent / "environment", *environments], check=True)
    file = write_models(_WORK / "models", [options.model])[options.model]
    run, x_nd = load_model(file), rows(64 * 32)
    server_core, generator_core = cores()
    os.sched_setaffinity(0, {generator_core})
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.starts):
        with ExitStack() as stack:
            standing = [
                (server, *_start(stack, Case(server, options.model, file, 0, run, x_nd), server_core))
                for server in servers
            ]
            time.sleep(_SETTLE_S)
            for name, found in _measured(options, standing, run, x_nd, server_core).items():
                rates[name] += found
    print(_table(rates))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving.interleaved", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=list(MODELS), default="small")
    parser.add_argument("--servers", nargs="+", choices=[server.name for server in SERVERS], default=list(_SERVERS))
    parser.add_argument("--turns", type=int, default=10, help="each has two stretches of every server, there and back")
    parser.add_argument("--starts", type=int, default=1, help="so often all servers start anew, for all turns")
    parser.add_argument("--seconds", type=float, default=0.8, help="length of a stretch")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--floor", nargs="*", type=int, default=[], metavar="ROWS", help="ONNX Runtime alone, too")
    return parser.parse_args()


def _start(stack: ExitStack, case: Case, core: int) -> tuple[int, list[bytes]]:
    """Start a server that stands until the stack ends; return its port and the requests for it."""
    port, requests = free_port(), case.requests()
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-benchmark-"))
    stack.enter_context(
        running(
            case.command(_WORK / "environments", port, scratch),
            cores=(core,),
            port=port,
            request=requests[0],
            variables=case.server.variables,
            scratch=Path(scratch),
        )
    )
    return port, requests


def _measured(
    options: argparse.Namespace, standing: Sequence[tuple[Server, int, list[bytes]]], run: Run, x_nd: Rows, core: int
) -> dict[str, list[float]]:
    """Return the rows a second of every server and of each batch of the floor, turn by turn."""
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.turns + 1):
        turn: dict[str, list[float]] = defaultdict(list)
        for server, port, requests in (*standing, *reversed(standing)):
            found = closed_loop(port, requests, options.connections, options.seconds)
            turn[server.name].append(found.good * server.rows / found.seconds)
            time.sleep(_PAUSE_S)
        for batch in (*options.floor, *reversed(options.floor)):
            rate = rows_per_s(run, x_nd, batch, core=core, seconds=options.seconds)
            turn[f"{FLOOR}, {batch} a run"].append(rate)
        for name, both in turn.items():
            rates[name].append(fmean(both))
    return {name: found[1:] for name, found in rates.items()}  # the first turn warms up


def _table(rates: dict[str, list[float]]) -> str:
    """Return each server's rate, and that of the others as a ratio of the same turn."""
    lines = []
    for name, own in rates.items():
        cells = [name, f"{median(own):,.0f}"]
        for other, its in rates.items():
            ratios = [a / b for a, b in zip(own, its, strict=True)]
            low, middle, high = quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
            cells.append("" if other == name else f"{middle:.2f} ({low:.2f}-{high:.2f})")
        lines.append(cells)
    return table(["server", "rows/s", *(f"to {name}" for name in rates)], lines)


if __name__ == "__main__":
    main()
