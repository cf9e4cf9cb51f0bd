"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.serving.claims import Claim, claims
from benchmarks.serving.floor import BATCHES, FLOOR
from benchmarks.serving.result import Failure, Kind, Result
from benchmarks.serving.servers import SERVERS, Server, locked_version
from benchmarks.serving.summary import Summary

__all__ = ["claim_table", "closed_table", "failure_list", "floor_table", "note_list", "open_table"]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float) -> str:
    """Write three significant digits, and none behind the point from 100 on."""
    if value != value:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def claim_table(summary: Summary) -> str:
    """Return each target beside what was measured."""
    rows = [
        (claim.text, _bound(claim), _number(claim.measured), _verdict(claim.holds), _number(claim.by_cpu))
        for claim in claims(summary)
    ]
    return _table(("ratio within this run", "target", "measured", "holds", "by CPU time"), rows)


def _bound(claim: Claim) -> str:
    return ("<= " if claim.at_most else ">= ") + f"{claim.target:g}"


def _verdict(holds: bool) -> str:
    return "yes" if holds else "**no**"


def floor_table(summary: Summary) -> str:
    """Return ONNX Runtime's own rows a second by batch."""
    rows = [
        (model, *(_number(summary.rate(model, FLOOR, "batch", batch)) for batch in BATCHES))
        for model in summary.models()
    ]
    return _table((f"{FLOOR}, rows/s", *(f"batch {batch}" for batch in BATCHES)), rows)


def closed_table(summary: Summary, model: str) -> str:
    """Return one model's servers under closed loop."""
    heads = (
        "64 connections", "req/s", "range", "p50 ms", "p99 ms", "µs CPU/req", "MB", "16: req/s", "1: req/s",
        "1: p50 ms", "start s", "of fastest peer", "foreign CPU", "generator idle",
    )  # fmt: skip
    _, fastest = summary.fastest_peer(model)
    return _table(heads, [_closed_row(summary, model, server, fastest) for server in summary.servers(model)])


def _closed_row(summary: Summary, model: str, server: str, fastest: float) -> list[str]:
    cells = summary.cells(model, server, "closed", 64)

    def at(level: float, of: Callable[[Result], float]) -> str:
        return _number(summary.median(model, server, "closed", level, of))

    rates = [cell.goodput for cell in cells]
    return [
        server,
        at(64, lambda cell: cell.goodput),
        f"{_number(min(rates))}-{_number(max(rates))}" if len(rates) > 1 else "",
        at(64, lambda cell: cell.p50_ms),
        at(64, lambda cell: cell.p99_ms),
        at(64, lambda cell: cell.cpu_us),
        at(64, lambda cell: cell.memory_mb),
        at(16, lambda cell: cell.goodput),
        at(1, lambda cell: cell.goodput),
        at(1, lambda cell: cell.p50_ms),
        at(64, lambda cell: cell.start_s),
        _number(summary.rate(model, server) / fastest),
        _percent(max((cell.foreign for cell in cells), default=float("nan"))),
        _percent(min((cell.idle for cell in cells), default=float("nan"))),
    ]


def _percent(share: float) -> str:
    return "" if share != share else f"{share:.0%}"


def open_table(summary: Summary, model: str) -> str:
    """Return one model's servers under bursty arrivals, below and above their own capacity."""
    heads = (
        "bursts", "capacity req/s", "0.8x: good", "0.8x: p99 ms", "2x: offered", "2x: good", "2x: good of capacity",
        "2x: p99 ms of answers", "2x: 503", "2x: other codes", "2x: no answer", "MB after", "after, of capacity",
        "foreign CPU", "generator idle",
    )  # fmt: skip
    servers = [server for server in summary.servers(model) if summary.cells(model, server, "open", 2)]
    return _table(heads, [_open_row(summary, model, server) for server in servers])


def _open_row(summary: Summary, model: str, server: str) -> list[str]:
    capacity = summary.rate(model, server)

    def at(kind: Kind, level: float, of: Callable[[Result], float]) -> float:
        return summary.median(model, server, kind, level, of)

    cells = summary.cells(model, server, "open", 2)
    good = at("open", 2, lambda cell: cell.goodput)
    return [
        server,
        _number(capacity),
        _number(at("open", 0.8, lambda cell: cell.goodput)),
        _number(at("open", 0.8, lambda cell: cell.p99_ms)),
        _number(at("open", 2, lambda cell: cell.offered)),
        _number(good),
        _percent(good / capacity),
        _number(at("open", 2, lambda cell: cell.p99_ms)),
        _percent(at("open", 2, lambda cell: cell.statuses.get(503, 0) / cell.answers)),
        ", ".join(sorted({str(status) for cell in cells for status in cell.statuses if status not in (0, 200, 503)})),
        _percent(at("open", 2, lambda cell: cell.statuses.get(0, 0) / cell.answers)),
        _number(at("open", 2, lambda cell: cell.memory_mb)),
        _percent(at("after", 64, lambda cell: cell.goodput) / capacity),
        _percent(max(cell.foreign for cell in cells)),
        _percent(min(cell.idle for cell in cells)),
    ]


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
