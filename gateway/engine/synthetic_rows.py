"""Rows made up for the first runs of a version: those that the graph accepts, and ones that differ as real rows do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.contract import Contract, Feature
from gateway.engine.session import RunFailed
from gateway.types import TensorSpec

__all__ = ["accepted_rows", "varied_rows"]

Feeds = dict[str, npt.NDArray[Any]]
FeedsOf = Callable[[int], Feeds]
RunRows = Callable[[Feeds, int], object]
_FREE_AXIS_SIZES = (1, 8, 32, 224)
_LARGEST_PROBE = 1 << 26
_VARIED_ROWS = (8, 64, 256)
_VARIED_VALUES = 1 << 20
_BRIEF_S = 0.005


def accepted_rows(contract: Contract, inputs: Mapping[str, TensorSpec], run: RunRows, *, fixed_rows: int) -> FeedsOf:
    """Return a maker of inputs that the graph accepts, all rows alike.

    Parameters
    ----------
    run
        Runs so many rows; raises ``RunFailed``.
    fixed_rows
        Batch size that the graph was exported with; 0 for a free one.

    Raises
    ------
    RunFailed
        None of the tried sizes of free axes runs.
    """
    failure = RunFailed("the graph has no inputs")
    batched = bool(fixed_rows) or all(spec.shape and spec.shape[0] == -1 for spec in inputs.values())
    for size in _FREE_AXIS_SIZES:

        def feeds_of(n: int, size: int = size) -> Feeds:
            return {name: _filled(spec, n if batched else 0, size, contract) for name, spec in inputs.items()}

        try:
            n = fixed_rows or 1
            run(feeds_of(n), n)
        except RunFailed as exc:
            failure = exc
            if exc.terminated:
                break
            continue
        return feeds_of
    raise RunFailed(f"it fails on synthetic rows: {failure}")


def varied_rows(feeds_of: FeedsOf, run: RunRows) -> FeedsOf:
    """Return a maker of rows that differ from each other and from call to call, where the graph accepts such rows.

    A forest takes three times as long for rows that differ as for the same row again and again.

    Raises
    ------
    RunFailed
        The run was terminated.
    """
    one, rng = feeds_of(1), np.random.default_rng(0)
    largest = max(1, _VARIED_VALUES // max(1, *(feed.size for feed in one.values())))
    rows, n = one, 1
    for n in sorted({min(n, largest) for n in _VARIED_ROWS}):
        rows = {name: _spread(np.repeat(feed, n, axis=0), rng) for name, feed in one.items()}
        started = perf_counter()
        try:
            run(rows, n)
        except RunFailed as exc:
            if exc.terminated:
                raise
            return feeds_of
        if perf_counter() - started > _BRIEF_S:
            break

    def others(count: int) -> Feeds:
        which = (rng.integers(n) + np.arange(count)) % n
        return {name: feed[which] for name, feed in rows.items()}

    return others


def _spread(feed: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return floats moved by about as much as they are large, or by one; anything else may be an index, and stays."""
    if feed.dtype.kind != "f":
        return feed
    with np.errstate(over="ignore"):  # a half float may become infinite, which is a row too
        moved: npt.NDArray[Any] = feed + rng.standard_normal(feed.shape) * np.maximum(np.abs(feed), 1)
        return moved.astype(feed.dtype)


def _filled(spec: TensorSpec, n: int, size: int, contract: Contract) -> npt.NDArray[Any]:
    if contract.layout == "matrix":
        return np.tile(np.array([_typical(f) for f in contract.features], spec.dtype), (n, 1))
    axes = tuple(axis if axis > 0 else size for axis in spec.shape)
    shape = (n, *axes[1:]) if n and axes else axes
    if prod(shape) > _LARGEST_PROBE:
        raise RunFailed(f"input {spec.name!r} of shape {list(spec.shape)} is too large to try")
    typical = next((_typical(f) for f in contract.features if f.name == spec.name), "" if spec.dtype == "string" else 0)
    return np.full(shape, typical, object if spec.dtype == "string" else spec.dtype)


def _typical(feature: Feature) -> Any:
    if feature.fill is not None:
        return feature.fill
    if feature.categories:
        return feature.categories[0]
    if feature.dtype == "string":
        return ""
    bounds = [bound for bound in (feature.minimum, feature.maximum) if bound is not None]
    return sum(bounds) / len(bounds) if bounds else 0.0
