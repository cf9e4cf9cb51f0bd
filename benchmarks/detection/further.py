"""Further streams with a known change, made after Weir's configuration was fixed and never used to choose it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.detection.streams import Stream
from monitors.evidence.rows import TENSOR, Rows
from monitors.records import FeatureSchema, OutputSchema

__all__ = ["further_streams"]

Floats = npt.NDArray[np.float64]
Law = Callable[[np.random.Generator, int], Floats]

CATEGORIES = 50


def further_streams() -> Iterator[Stream]:
    """Give streams of counts, waiting times, caps, swaps, outliers, many features, many categories, regressions."""
    yield _numbers("counts, rate up a fifth", 3, _counts(3.0), _counts(3.6))
    yield _numbers("waiting times, up a third", 3, _waits(1.0), _waits(1.33))
    yield _numbers("values capped", 3, _normal(3), lambda rng, n: np.minimum(rng.normal(size=(n, 3)), [1.3, 99, 99]))
    yield _numbers("rounded to halves", 3, _normal(3), _rounded)
    yield _numbers("two columns swapped", 4, _chain, lambda rng, n: _chain(rng, n)[:, [1, 0, 2, 3]])
    yield _numbers("outliers, one in a hundred", 3, _normal(3), _outliers)
    yield _numbers("30 features, one moves", 30, _normal(30), _moved(30, 1, 0.7))
    yield _numbers("30 features, all move a little", 30, _normal(30), _moved(30, 30, 0.15))
    yield _numbers("every second hundred rows shifted", 3, _normal(3), _on_and_off)
    yield _numbers("noise in one of two sensors", 2, _sensors(0.3), _sensors(0.5))
    yield _categories()
    yield _regression()


def _numbers(name: str, d: int, law: Law, changed: Law) -> Stream:
    features = tuple(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(d))
    return Stream(
        name, features, lambda rng, n: Rows(law(rng, n)), lambda rng, n, since_n: Rows(changed(rng, n)), TENSOR
    )


def _categories() -> Stream:
    """Fifty categories by Zipf's law; the rarer half becomes three times as frequent."""
    names = tuple(f"c{i}" for i in range(CATEGORIES))
    before = 1.0 / np.arange(1.0, CATEGORIES + 1)
    after = before * np.where(np.arange(CATEGORIES) < CATEGORIES // 2, 1.0, 3.0)

    def law(rng: np.random.Generator, n: int, weights: Floats) -> Rows:
        codes_n = rng.choice(CATEGORIES, size=n, p=weights / weights.sum())
        return Rows(np.column_stack([codes_n.astype(np.float64), rng.normal(size=n)]))

    features = (FeatureSchema("category", "category", "string", names), FeatureSchema("number", "number", "float64"))
    return Stream(
        "fifty categories, rare ones gain",
        features,
        lambda rng, n: law(rng, n, before),
        lambda rng, n, since_n: law(rng, n, after),
    )


def _regression() -> Stream:
    """A regression answers a fifth too high; its inputs stay."""
    features = tuple(FeatureSchema(f"number {i + 1}", "number", "float64") for i in range(3))

    def answered(rng: np.random.Generator, n: int, factor: float) -> Rows:
        values_nd = rng.normal(size=(n, 3))
        return Rows(values_nd, factor * np.exp(0.5 * values_nd.sum(axis=1, keepdims=True)))

    return Stream(
        "regression, answers up a fifth",
        features,
        lambda rng, n: answered(rng, n, 1.0),
        lambda rng, n, since_n: answered(rng, n, 1.2),
        OutputSchema("regression"),
    )


def _normal(d: int) -> Law:
    return lambda rng, n: np.asarray(rng.normal(size=(n, d)))


def _counts(rate: float) -> Law:
    return lambda rng, n: np.column_stack([rng.poisson(rate, size=n), rng.normal(size=(n, 2))]).astype(np.float64)


def _waits(scale: float) -> Law:
    return lambda rng, n: np.column_stack([rng.exponential(scale, size=n), rng.normal(size=(n, 2))])


def _rounded(rng: np.random.Generator, n: int) -> Floats:
    values_nd = rng.normal(size=(n, 3))
    values_nd[:, 0] = np.rint(2 * values_nd[:, 0]) / 2
    return values_nd


def _chain(rng: np.random.Generator, n: int) -> Floats:
    """Each number follows the one before it: all have the same law, neighbours are correlated at 0.8."""
    values_nd = rng.normal(size=(n, 4))
    for d in range(1, 4):
        values_nd[:, d] = 0.8 * values_nd[:, d - 1] + 0.6 * values_nd[:, d]
    return values_nd


def _outliers(rng: np.random.Generator, n: int) -> Floats:
    values_nd = rng.normal(size=(n, 3))
    return np.where((rng.random((n, 1)) < 0.01) & (np.arange(3) == 0), 8.0 + values_nd, values_nd)


def _moved(d: int, moved: int, shift: float) -> Law:
    return lambda rng, n: np.asarray(rng.normal(size=(n, d)) + shift * (np.arange(d) < moved))


def _on_and_off(rng: np.random.Generator, n: int) -> Floats:
    is_on_n = np.arange(n) // 100 % 2 == 0
    return np.asarray(rng.normal(size=(n, 3)) + 0.8 * is_on_n[:, None] * (np.arange(3) == 0))


def _sensors(noise: float) -> Law:
    """Two sensors of one quantity; the second with noise of its own, and the same total variance."""

    def law(rng: np.random.Generator, n: int) -> Floats:
        truth_n = rng.normal(size=n)
        return np.column_stack([truth_n, np.sqrt(1 - noise**2) * truth_n + noise * rng.normal(size=n)])

    return law
