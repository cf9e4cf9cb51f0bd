"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.serving.claims import claims
from benchmarks.serving.floor import BATCHES, FLOOR
from benchmarks.serving.markdown import claim_table, number, percent, table
from benchmarks.serving.result import Failure, Kind, Result
from benchmarks.serving.servers import SERVERS, Server, locked_version
from benchmarks.serving.summary import Summary

__all__ = ["closed_table", "failure_list", "floor_table", "note_list", "open_table", "target_table"]


def target_table(summary: Summary) -> str:
    """Return each target beside what was measured."""
    return claim_table(claims(summary), "ratio within this run")


def floor_table(summary: Summary) -> str:
    """Return ONNX Runtime's own rows a second by batch."""
    rows = [
        (model, *(number(summary.rate(model, FLOOR, "batch", batch)) for batch in BATCHES))
        for model in summary.models()
    ]
    return table((f"{FLOOR}, rows/s", *(f"batch {batch}" for batch in BATCHES)), rows)


def closed_table(summary: Summary, model: str) -> str:
    """Return one model's servers under closed loop."""
    heads = (
        "64 connections", "req/s", "range", "p50 ms", "p99 ms", "µs CPU/req", "MB", "16: req/s", "1: req/s",
        "1: p50 ms", "start s", "of fastest peer", "foreign CPU", "generator idle",
    )  # fmt: skip
    _, fastest = summary.fastest_peer(model)
    return table(heads, [_closed_row(summary, model, server, fastest) for server in summary.servers(model)])


def _closed_row(summary: Summary, model: str, server: str, fastest: float) -> list[str]:
    cells = summary.cells(model, server, "closed", 64)

    def at(level: float, of: Callable[[Result], float]) -> str:
        return number(summary.median(model, server, "closed", level, of))

    rates = [cell.goodput for cell in cells]
    return [
        server,
        at(64, lambda cell: cell.goodput),
        f"{number(min(rates))}-{number(max(rates))}" if len(rates) > 1 else "",
        at(64, lambda cell: cell.p50_ms),
        at(64, lambda cell: cell.p99_ms),
        at(64, lambda cell: cell.cpu_us),
        at(64, lambda cell: cell.memory_mb),
        at(16, lambda cell: cell.goodput),
        at(1, lambda cell: cell.goodput),
        at(1, lambda cell: cell.p50_ms),
        at(64, lambda cell: cell.start_s),
        number(summary.rate(model, server) / fastest),
        percent(max((cell.foreign for cell in cells), default=float("nan"))),
        percent(min((cell.idle for cell in cells), default=float("nan"))),
    ]


def open_table(summary: Summary, model: str) -> str:
    """Return one model's servers under bursty arrivals, below and above their own capacity."""
    heads = (
        "bursts", "capacity req/s", "0.8x: good", "0.8x: p99 ms", "2x: offered", "2x: good", "2x: good of capacity",
        "2x: p99 ms of answers", "2x: 503", "2x: other codes", "2x: no answer", "MB after", "after, of capacity",
        "foreign CPU", "generator idle", "held",
    )  # fmt: skip
    servers = [server for server in summary.servers(model) if summary.cells(model, server, "open", 2)]
    return table(heads, [_open_row(summary, model, server) for server in servers])


def _open_row(summary: Summary, model: str, server: str) -> list[str]:
    capacity = summary.rate(model, server)

    def at(kind: Kind, level: float, of: Callable[[Result], float]) -> float:
        return summary.median(model, server, kind, level, of)

    cells = summary.cells(model, server, "open", 2)
    good = at("open", 2, lambda cell: cell.goodput)
    return [
        server,
        number(capacity),
        number(at("open", 0.8, lambda cell: cell.goodput)),
        number(at("open", 0.8, lambda cell: cell.p99_ms)),
        number(at("open", 2, lambda cell: cell.offered)),
        number(good),
        percent(_ratio(good, capacity)),
        number(at("open", 2, lambda cell: cell.p99_ms)),
        percent(at("open", 2, lambda cell: cell.statuses.get(503, 0) / cell.answers)),
        ", ".join(sorted({str(status) for cell in cells for status in cell.statuses if status not in (0, 200, 503)})),
        percent(at("open", 2, lambda cell: cell.statuses.get(0, 0) / cell.answers)),
        number(at("open", 2, lambda cell: cell.memory_mb)),
        percent(_ratio(at("after", 64, lambda cell: cell.goodput), capacity)),
        percent(max(cell.foreign for cell in cells)),
        percent(min(cell.idle for cell in cells)),
        number(max(cell.held for cell in cells)),
    ]


def _ratio(part: float, whole: float) -> float:
    """Divide; what is to nothing is not a number."""
    return part / whole if whole else float("nan")


def note_list(summary: Summary) -> str:
    """Return the settings of each measured server."""
    measured = {server for model in summary.models() for server in summary.servers(model)}
    return "\n".join(
        f"- {server.name}{_version(server)}: {server.note}." for server in SERVERS if server.name in measured
    )


def _version(server: Server) -> str:
    return f" {locked_version(server.environment)}" if server.environment else ""


def failure_list(failures: Iterable[Failure]) -> str:
    """Return what could not be measured, each once."""
    lines = dict.fromkeys(f"- {failure.server} ({failure.model}): {failure.reason}" for failure in failures)
    return "\n".join(lines) or "None."
