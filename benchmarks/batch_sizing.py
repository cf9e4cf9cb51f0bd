"""What should a batch be, and what will it cost? Three tables of docs/batching.md.

Run: ``.venv/bin/python -m benchmarks.batch_sizing``

Claims: the best batch is a property of the model, and measuring it takes well under a second; sizes learned one by one
follow what straight lines and a single factor cannot; a latency target below the best batch makes a busy model slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time
from typing import Protocol

import numpy as np

from benchmarks.serving.models import rows, write_models
from gateway.batching.cost import CostModel
from gateway.batching.sizing import BatchSizer
from gateway.engine.session import OnnxSession
from gateway.engine.timing import Feeds, RateCurve, measure

__all__ = ["main"]

Seconds = Callable[[int], float]
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
SHOWN = (1, 8, 32, 128)


class Estimator(Protocol):
    """What can be compared with the cost model."""

    def estimate(self, rows: int, /) -> float: ...
    def observe(self, rows: int, seconds: float, /) -> None: ...


class Line:
    """a + b n by recursive least squares that forget."""

    def __init__(self, curve: RateCurve) -> None:
        self._scale = np.array([curve.seconds(1), curve.seconds(128) / 128])
        self._of_scale, self._spread = np.array([curve.cost.run_s, curve.cost.row_s]) / self._scale, np.eye(2)

    def estimate(self, rows: int, /) -> float:
        return max(float(self._of_scale @ (self._scale * (1, rows))), 1e-9)

    def observe(self, rows: int, seconds: float, /) -> None:
        expected = self.estimate(rows)
        x = self._scale * (1, rows) / expected
        gain = self._spread @ x / (0.95 + x @ self._spread @ x)
        self._of_scale = self._of_scale + gain * (min(max(seconds / expected, 0.5), 1.5) - x @ self._of_scale)
        self._spread = np.clip((self._spread - np.outer(gain, x @ self._spread)) / 0.95, -100, 100)


class Factor:
    """The curve times one learned factor."""

    def __init__(self, curve: RateCurve) -> None:
        self._curve, self._factor = curve, 1.0

    def estimate(self, rows: int, /) -> float:
        return self._factor * self._curve.seconds(rows)

    def observe(self, rows: int, seconds: float, /) -> None:
        self._factor *= 1 + (min(max(seconds / self.estimate(rows), 0.5), 1.5) - 1) / 8


def curves() -> Iterator[tuple[str, RateCurve]]:
    """Give the curve of each model of the serving benchmark, and print how long measuring it took."""
    x_nd = rows(1024)
    with TemporaryDirectory() as folder:
        for name, file in write_models(Path(folder), ["small", "trees", "mlp", "cnn"]).items():
            session, rng = OnnxSession(file.read_bytes()), np.random.default_rng(1)

            def feeds_of(n: int, rng: np.random.Generator = rng) -> Feeds:
                return {"x": x_nd[rng.integers(1024, size=n)]}

            began = thread_time()
            curve = measure(lambda feeds, _n, s=session: s.run(feeds), feeds_of, 128, clock=thread_time)  # type: ignore[misc]  # a default binds the loop's session
            took_ms = (thread_time() - began) * 1e3
            known = dict(curve.points)
            rates = " | ".join(f"{n / known[n]:,.0f}" if n in known else "" for n in SHOWN)
            print(f"| {name} | {rates} | {curve.best_rows} | {took_ms:.0f} |")
            yield name, curve


CHANGES: dict[str, Callable[[RateCurve, int], Seconds]] = {
    "none": lambda curve, _i: curve.seconds,
    "all runs three times as long": lambda curve, i: lambda n: curve.seconds(n) * (3 if i > 200 else 1),
    "every run longer by ten single rows": lambda curve, _i: lambda n: curve.seconds(n) + 10 * curve.seconds(1),
    "large batches twice as long": lambda curve, _i: lambda n: curve.seconds(n) * (1 + min(n / 64, 1)),
}


def error(estimator: Estimator, curve: RateCurve, change: Callable[[RateCurve, int], Seconds]) -> float:
    """Return the mean error of 600 runs of 1 to 128 rows, with 10 % of noise and 1 % of runs fifty times as long."""
    rng, errors = np.random.default_rng(1), []
    for i in range(600):
        n, truth = int(2 ** rng.uniform(0, 7)), change(curve, i)
        errors.append(abs(log(estimator.estimate(n) / truth(n))))
        estimator.observe(n, truth(n) * float(rng.lognormal(0, 0.1)) * (50 if rng.random() < 0.01 else 1))
    return float(np.mean(errors[20:]))


def mlp(n: int) -> float:
    """Give the seconds of a model like the benchmark's perceptron."""
    return 2e-3 + n * 2.5e-4


def latency(per_s: float, *, target_s: float = 0.0, most: int = 128, span_s: float = 60.0) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of Poisson arrivals at one work-conserving lane."""
    rng = np.random.default_rng(0)
    arrivals = np.cumsum(rng.exponential(1 / per_s, int(per_s * span_s)))
    sizer = BatchSizer(RateCurve.of((n, mlp(n)) for n in SIZES if n <= most), most=most, target_s=target_s)
    now_s, i, waits = 0.0, 0, []
    while i < len(arrivals):
        now_s = max(now_s, arrivals[i])
        waiting = int(np.searchsorted(arrivals, now_s, side="right")) - i
        n = min(waiting, sizer.limit)
        seconds = mlp(n) * float(rng.lognormal(0, 0.05))
        sizer.observe(n, seconds, was_full=waiting > n)
        now_s += seconds
        waits.append(now_s - arrivals[i : i + n])
        i += n
    p50, p99 = np.percentile(np.concatenate(waits) * 1e3, [50, 99])
    return float(p50), float(p99)


def main() -> None:
    """Print the tables."""
    print("| model | rows/s at 1 | 8 | 32 | 128 | best | ms to measure |")
    found = dict(curves())
    print("\n| change | straight line | one factor | sizes |")
    for name, change in CHANGES.items():
        kinds: list[Callable[[RateCurve], Estimator]] = [Line, Factor, lambda curve: CostModel(curve, 128)]
        means = [np.mean([error(kind(curve), curve, change) for curve in found.values()]) for kind in kinds]
        print(f"| {name} | {' | '.join(f'{mean:.0%}' for mean in means)} |")
    print("\n| requests/s | no target | target 10 ms | no batching |")
    for per_s in (400, 1500, 3000, 3500):
        cells = [latency(per_s), latency(per_s, target_s=0.01), latency(per_s, most=1)]
        print(f"| {per_s} | {' | '.join(f'{p50:.1f} / {p99:.1f}' for p50, p99 in cells)} |")


if __name__ == "__main__":
    main()
