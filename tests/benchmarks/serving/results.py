"""Results of a campaign that was never run, for tests."""

from benchmarks.serving.result import Kind, Result

__all__ = ["result"]


def result(
    server: str, goodput: float, *, model: str = "small", kind: Kind = "closed", level: float = 64, round_: int = 0
) -> Result:
    """Return a cell: as many CPU microseconds as one core has for this rate."""
    return Result(
        model=model,
        server=server,
        round=round_,
        kind=kind,
        level=level,
        rows=1,
        goodput=goodput,
        offered=goodput,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=3.0,
        cpu_us=1e6 / goodput,
        memory_mb=100.0,
        foreign=0.01,
        idle=0.5,
        start_s=1.0,
        statuses={200: 10},
    )
