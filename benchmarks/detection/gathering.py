"""Streams whose values gather on a few exact numbers: capped, clipped, rounded, filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer

from benchmarks.detection.streams import Stream
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

__all__ = ["gathering_streams"]

Floats = npt.NDArray[np.float64]

REAL_COLUMNS = 6


def gathering_streams() -> Iterator[Stream]:
    """Give streams of three normal numbers, and of resampled real ones, of which the first gathers."""
    for name, change in _CHANGES.items():
        yield _stream(name, 3, lambda rng, n: np.asarray(rng.normal(size=(n, 3))), change)
    measured = load_breast_cancer().data[:, :REAL_COLUMNS]
    top = float(np.quantile(measured[:, 0], 0.9))
    for name, change in (
        ("breast cancer, radius rounded to millimetres", np.rint),
        ("breast cancer, radius capped at the upper tenth", lambda x_n: np.minimum(x_n, top)),
    ):
        yield _stream(name, REAL_COLUMNS, lambda rng, n: measured[rng.integers(len(measured), size=n)], change)


def _stream(
    name: str, d: int, law: Callable[[np.random.Generator, int], Floats], change: Callable[[Floats], Floats]
) -> Stream:
    def after(rng: np.random.Generator, n: int, since_n: Floats) -> Rows:
        values_nd = law(rng, n)
        values_nd[:, 0] = change(values_nd[:, 0])
        return Rows(values_nd)

    features = tuple(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(d))
    return Stream(name, features, lambda rng, n: Rows(law(rng, n)), after)


def _rounded(step: float) -> Callable[[Floats], Floats]:
    return lambda x_n: np.rint(x_n / step) * step


def _filled(every: int) -> Callable[[Floats], Floats]:
    return lambda x_n: np.where(np.arange(len(x_n)) % every == 0, 0.2, x_n)


_CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "capped at 0.5": lambda x_n: np.minimum(x_n, 0.5),
    "capped at 1": lambda x_n: np.minimum(x_n, 1.0),
    "capped at 1.65": lambda x_n: np.minimum(x_n, 1.65),
    "capped at 2": lambda x_n: np.minimum(x_n, 2.0),
    "clipped at -1.5 and 1.5": lambda x_n: np.clip(x_n, -1.5, 1.5),
    "rounded to 1": _rounded(1.0),
    "rounded to 0.3": _rounded(0.3),
    "rounded to 0.25": _rounded(0.25),
    "rounded to 0.1": _rounded(0.1),
    "eight bits over eight deviations": _rounded(8.0 / 255.0),
    "single precision": lambda x_n: x_n.astype(np.float32).astype(np.float64),
    "one row in ten filled in": _filled(10),
    "one row in 33 filled in": _filled(33),
}
