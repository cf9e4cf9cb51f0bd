"""A servable version: sessions built from a bundle's bytes, a contract, and what a run of it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gateway.catalog.manifest import Manifest
from gateway.contract import Contract
from gateway.engine.outputs import OutputReader, Outputs
from gateway.engine.session import OnnxSession, RunFailed, RunHandle, row_counts
from gateway.engine.timing import RateCurve, RunCost
from gateway.types import TensorSpec
from monitors.records import StreamInfo

__all__ = ["GraphPair", "Graphs", "ServableVersion"]


class Graphs(Protocol):
    """What gives a version's outputs. Safe from any thread."""

    @property
    def output_names(self) -> Sequence[str]:
        """Names of the outputs, in the order in which they are given."""

    @property
    def providers(self) -> Sequence[str]:
        """Execution providers by their short names, in the order of preference."""

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Sequence[Any]:
        """Return the outputs of ``n`` rows; raise ``RunFailed``."""


class GraphPair:
    """The model's session behind its optional feature transform. Safe from any thread.

    What the transform gives goes to the model's inputs of the same names; a single output goes to a single input
    whatever their names. Raises ``RunFailed`` where the two do not fit.

    Parameters
    ----------
    fixed_rows
        Batch size that the graph was exported with; 0 for a free one. Other sizes are fed in padded pieces.

    Attributes
    ----------
    providers
        Execution providers that the model's session uses, by their short names, in the order of preference.
    """

    def __init__(self, model: OnnxSession, transform: OnnxSession | None, fixed_rows: int) -> None:
        self._model, self._transform, self._fixed_rows = model, transform, fixed_rows
        self.output_names, self.providers = model.output_names, model.providers
        self._check_names()

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Sequence[Any]:
        """Return the model's outputs in graph order, for ``n`` rows; raise ``RunFailed``."""
        size = self._fixed_rows
        if not size or n == size:
            return self._whole(feeds, handle)
        pieces = [self._whole(_padded(feeds, start, size), handle) for start in range(0, n, size)]
        return [_joined([piece[i] for piece in pieces])[:n] for i in range(len(self.output_names))]

    def _check_names(self) -> None:
        if self._transform is None:
            return
        given, needed = self._transform.output_names, self._model.input_names
        if not (len(given) == len(needed) == 1) and not set(needed) <= set(given):
            raise RunFailed(f"features.onnx gives {list(given)}, model.onnx takes {list(needed)}")

    def _whole(self, feeds: Mapping[str, npt.NDArray[Any]], handle: RunHandle | None) -> Sequence[Any]:
        if self._transform is None:
            return self._model.run(feeds, handle)
        features = dict(zip(self._transform.output_names, self._transform.run(feeds, handle), strict=True))
        names = self._model.input_names
        if len(features) == 1 and len(names) == 1:
            return self._model.run({names[0]: next(iter(features.values()))}, handle)
        return self._model.run({name: features[name] for name in names}, handle)


def _padded(feeds: Mapping[str, npt.NDArray[Any]], start: int, size: int) -> dict[str, npt.NDArray[Any]]:
    part = {name: value[start : start + size] for name, value in feeds.items()}
    lacking = size - len(next(iter(part.values())))
    if not lacking:
        return part
    return {name: np.concatenate([v, np.repeat(v[-1:], lacking, axis=0)]) for name, v in part.items()}


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False, kw_only=True)
class ServableVersion:
    """One loaded version. Immutable; ``run`` is safe from any thread.

    Parameters
    ----------
    inputs, outputs
        The graph's, by name; inputs are those of the feature transform where there is one.
    ranks
        Rank of each feature's own input, for a contract laid out as columns.
    max_batch_rows
        Rows of one run; ``None`` where rows do not keep their place, so requests must run one by one.
    inline_rows
        Rows that may run on the event loop by what was measured at load; 0 for never.
    on_loop_s, alone_s
        Longest run on the event loop, and longest there for a request that is the only one; 0 for never.
    curve
        Seconds of a run by its rows, as measured at load.
    memory_bytes
        Memory that it took to load, outside Python; at least its weights. Memory of a device is not in it.
    """

    model: str
    version: str
    digest: str
    manifest: Manifest
    graphs: Graphs
    contract: Contract
    reader: OutputReader
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    ranks: Mapping[str, int]
    max_batch_rows: int | None
    inline_rows: int
    on_loop_s: float
    alone_s: float
    curve: RateCurve
    reference: bytes
    evidence: bytes = b""
    memory_bytes: int = 0

    @property
    def provider(self) -> str:
        """Execution provider that nodes run on if it can run them."""
        return self.graphs.providers[0]

    @property
    def cost(self) -> RunCost:
        """Seconds of a run as a straight line."""
        return self.curve.cost

    @property
    def info(self) -> StreamInfo:
        """What a watcher must know of this version."""
        features = tuple(feature.schema for feature in self.contract.features)
        return StreamInfo(
            self.model,
            self.version,
            self.digest,
            features,
            self.contract.output_schema,
            self.reference,
            self.evidence,
            tuple(feature.importance for feature in self.contract.features),
        )

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], n: int, handle: RunHandle | None = None) -> Outputs:
        """Return the outputs of ``n`` rows.

        Raises
        ------
        RunFailed
            The runtime raised, the run was terminated, or an output has lost rows.
        """
        raw = self.graphs.run(feeds, n, handle)
        if self.max_batch_rows is not None and any(len(output) != n for output in raw):
            raise RunFailed(f"outputs have {row_counts(raw)} rows, the input has {n}")
        return self.reader.read(raw)
