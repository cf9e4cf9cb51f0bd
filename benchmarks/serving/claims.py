"""The targets, each with the ratio that was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.serving.floor import BATCHES, FLOOR
from benchmarks.serving.summary import Summary

__all__ = ["Claim", "claims"]

_WEIR, _ASGI, _BARE = "Weir", "Weir, ASGI path", "uvicorn bare ASGI"


@dataclass(frozen=True, slots=True)
class Claim:
    """One ratio with its target; ``at_most`` says in which direction.

    ``by_cpu`` is the same ratio in CPU time a request, which neighbours on the machine disturb less.
    """

    text: str
    measured: float
    target: float
    at_most: bool = False
    by_cpu: float = float("nan")

    @property
    def holds(self) -> bool:
        """Return whether the target was met; NaN never is."""
        return self.measured <= self.target if self.at_most else self.measured >= self.target


def claims(summary: Summary) -> list[Claim]:
    """Return the claims whose cells were measured."""
    found = [*_small(summary), *_mlp(summary), *_no_peer_is_faster(summary), *_binary(summary)]
    return [claim for claim in found if claim.measured == claim.measured]


def _by_cpu(summary: Summary, model: str, server: str, other: str) -> float:
    return summary.cpu_us(model, other) / summary.cpu_us(model, server)


def _small(summary: Summary) -> Iterator[Claim]:
    peer, rate = summary.fastest_peer("small")
    weir, bare, asgi = (summary.rate("small", name) for name in (_WEIR, _BARE, _ASGI))
    where = "small model, 64 connections:"
    yield Claim(
        f"{where} Weir to the fastest peer ({peer})", weir / rate, 10, by_cpu=_by_cpu(summary, "small", _WEIR, peer)
    )
    yield Claim(
        f"{where} Weir to uvicorn's bare ASGI floor", weir / bare, 1.5, by_cpu=_by_cpu(summary, "small", _WEIR, _BARE)
    )
    yield Claim(
        f"{where} Weir's ASGI path to that floor", asgi / bare, 0.65, by_cpu=_by_cpu(summary, "small", _ASGI, _BARE)
    )
    start_s = summary.median("small", _WEIR, "closed", 64, lambda result: result.start_s)
    yield Claim("small model: start to first answer, seconds", start_s, 1.5, at_most=True)


def _mlp(summary: Summary) -> Iterator[Claim]:
    weir, (peer, rate) = summary.rate("mlp", _WEIR), summary.fastest_peer("mlp")
    alone = max(summary.rate("mlp", FLOOR, "batch", batch) for batch in BATCHES)
    yield Claim("MLP, 64 connections: Weir to ONNX Runtime's best batched rows/s", weir / alone, 0.75)
    faster = f"MLP, 64 connections: Weir to the fastest peer ({peer})"
    yield Claim(faster, weir / rate, 1.5, by_cpu=_by_cpu(summary, "mlp", _WEIR, peer))
    served = summary.median("mlp", _WEIR, "closed", 1, lambda result: result.p50_ms)
    run = summary.median("mlp", FLOOR, "batch", 1, lambda result: result.p50_ms)
    yield Claim("MLP, one connection: Weir's p50 to that of one run", served / run, 2.0, at_most=True)


def _no_peer_is_faster(summary: Summary) -> Iterator[Claim]:
    for model in ("trees", "mlp"):
        for connections in (1, 16, 64):
            peer, rate = summary.fastest_peer(model, connections)
            weir = summary.rate(model, _WEIR, level=connections)
            yield Claim(f"{model}, {connections} connections: Weir to the fastest peer ({peer})", weir / rate, 1.0)


def _binary(summary: Summary) -> Iterator[Claim]:
    for model in ("trees", "mlp", "cnn"):
        rows = 32 * max(summary.rate(model, "Weir, binary x32", level=level) for level in (1, 16, 64))
        alone = summary.rate(model, FLOOR, "batch", 32)
        yield Claim(f"{model}, binary tensors of 32 rows: rows/s to ONNX Runtime's at that batch", rows / alone, 0.9)
