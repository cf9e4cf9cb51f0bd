"""Signals: one number for each feature and answer of a tick, from its summary, for detectors of changes in a mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitors.outputs import HISTOGRAM_CELLS
from monitors.pit import positions
from monitors.summary import Layout

__all__ = ["MAXIMUM_CLASSES", "Signals"]

MAXIMUM_CLASSES = 32

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """The mean of ``weights_b`` over the rows that the cells from ``start`` on count; ``neutral`` before any."""

    name: str
    start: int
    weights_b: Floats
    neutral: float

    def of(self, cells: Ints) -> float | None:
        counts_b = cells[self.start : self.start + len(self.weights_b)]
        rows = int(counts_b.sum())
        return float(counts_b @ self.weights_b) / rows if rows else None


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """The signals of a layout; every one lies in [0, 1].

    ``feature/<name>``: mean position of the feature's values in the reference's distribution, 0.5 on the reference;
    values that are missing or unseen stand in the middle, and a category's position follows the contract's order.
    ``value``: the same of a regression's answers. ``class/<name>``: share of the class. ``confidence``: mean top-1
    probability.

    Examples
    --------
    >>> from monitors.records import FeatureSchema, OutputSchema, StreamInfo
    >>> info = StreamInfo("m", "1", "d", (), OutputSchema("classification", ("no", "yes")))
    >>> signals = Signals.of(Layout.of(info, None), features=64)
    >>> signals.names
    ('class/no', 'class/yes', 'confidence')
    """

    _signals: tuple[_Signal, ...]

    @classmethod
    def of(cls, layout: Layout, *, features: int) -> Signals:
        """Return the signals of a layout: of its first so many features, and of its first 32 classes."""
        return cls((*_of_features(layout, features), *_of_answers(layout)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the signals, in their order."""
        return tuple(signal.name for signal in self._signals)

    def neutral(self) -> Floats:
        """Return what stands for signals that no row has told yet."""
        return np.array([signal.neutral for signal in self._signals])

    def measure(self, cells: Ints, before_s: Floats) -> Floats:
        """Return the signals of summed cells; one of which no row tells keeps its value ``before_s``."""
        found = [signal.of(cells) for signal in self._signals]
        return np.array([b if f is None else f for f, b in zip(found, before_s.tolist(), strict=True)])


def _of_features(layout: Layout, most: int) -> Iterator[_Signal]:
    if layout.profile is None:
        return
    for schema, cells in list(zip(layout.features, layout.feature_cells, strict=True))[:most]:
        known = layout.profile.feature(schema.name)
        if known is not None and cells.kind != "any":
            name = f"feature/{schema.name}"
            yield _Signal(name, layout.start(name), positions(cells, np.array(known.counts)), 0.5)


def _of_answers(layout: Layout) -> Iterator[_Signal]:
    if layout.has("value") and layout.profile and (value := layout.profile.output.value) and value.cells.kind != "any":
        yield _Signal("value", layout.start("value"), positions(value.cells, np.array(value.counts)), 0.5)
    if layout.has("class"):
        classes = layout.output.classes
        for i, name in enumerate(classes[:MAXIMUM_CLASSES]):
            weights_b = np.zeros(len(classes) + 1)
            weights_b[i] = 1.0
            yield _Signal(f"class/{name}", layout.start("class"), weights_b, 1.0 / len(classes))
        middles_b = (np.arange(HISTOGRAM_CELLS) + 0.5) / HISTOGRAM_CELLS
        yield _Signal("confidence", layout.start("top1"), middles_b, 0.5)
