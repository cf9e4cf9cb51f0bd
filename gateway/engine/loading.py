"""From a bundle to a servable version: build, probe, measure, and check the golden rows. Blocks; never on the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from statistics import median
from threading import Timer
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.catalog.bundle import Bundle, GraphFile
from gateway.codec.rows import column_ranks
from gateway.contract import Contract, Feature, OutputBinding
from gateway.engine.binding import BindingInvalid, Hint, bind_inputs, bind_outputs
from gateway.engine.golden import GoldenRows
from gateway.engine.outputs import OutputReader
from gateway.engine.session import OnnxSession, RunFailed, RunHandle, row_counts
from gateway.engine.version import GraphPair, RunCost, ServableVersion
from gateway.errors import VersionRefused
from gateway.settings import ServingSettings
from gateway.types import TensorSpec

__all__ = ["HintsOf", "load_version", "no_hints"]

HintsOf = Callable[[bytes], Mapping[str, Hint]]
Feeds = dict[str, npt.NDArray[Any]]
_FREE_AXIS_SIZES = (1, 8, 32, 224)
_TIMED_RUNS = 5
_LARGEST_PROBE = 1 << 26
_DEFAULTS = ServingSettings()


def no_hints(_reference: bytes) -> Mapping[str, Hint]:
    """Know nothing of the reference profile."""
    return {}


def load_version(
    bundle: Bundle,
    *,
    serving: ServingSettings = _DEFAULTS,
    unknown_features: str = "reject",
    hints_of: HintsOf = no_hints,
) -> ServableVersion:
    """Return a version that has answered synthetic rows, was timed, and agrees with its golden rows.

    Parameters
    ----------
    hints_of
        Reads fills and categories out of ``reference.json``.

    Raises
    ------
    gateway.errors.VersionRefused
        The graph does not load, does not fit its manifest, fails on synthetic rows, or disagrees with a golden row.
    """
    try:
        hints = hints_of(bundle.reference)
    except ValueError as exc:
        raise VersionRefused(bundle.model, bundle.version, f"reference.json: {exc}") from exc
    handle = RunHandle()
    deadline = Timer(serving.load_s, handle.terminate)
    deadline.daemon = True
    deadline.start()
    try:
        return _Loading(bundle, serving, unknown_features, hints, handle).version()
    except (RunFailed, BindingInvalid) as exc:
        why = f"it was not ready within {serving.load_s:g} s" if handle.terminated else str(exc)
        raise VersionRefused(bundle.model, bundle.version, why) from exc
    finally:
        deadline.cancel()


class _ProbedGraphs:
    """Graphs on probation: every run carries the handle that ends it at the load's deadline."""

    def __init__(self, graphs: GraphPair, handle: RunHandle) -> None:
        self._graphs, self._handle = graphs, handle
        self.output_names = graphs.output_names

    def run(self, feeds: Feeds, n: int) -> Sequence[Any]:
        """Return the outputs of ``n`` rows; raise ``RunFailed``."""
        return self._graphs.run(feeds, n, self._handle)


@dataclass(frozen=True, slots=True)
class _Loading:
    """The steps of one load."""

    bundle: Bundle
    serving: ServingSettings
    unknown: str
    hints: Mapping[str, Hint]
    handle: RunHandle

    def version(self) -> ServableVersion:
        bundle, first = self.bundle, self.bundle.features_graph or self.bundle.graph
        interface = bundle.manifest.interface
        inputs = {spec.name: spec for spec in first.info.inputs}
        contract = bind_inputs(interface, first.info, self.hints, unknown=self.unknown)
        ranks = column_ranks(contract, {name: spec.shape for name, spec in inputs.items()})
        fixed_rows = _fixed_rows(inputs)
        pair = self._graphs(fixed_rows)
        graphs = _ProbedGraphs(pair, self.handle)
        golden = GoldenRows.read(bundle, contract, inputs, ranks) if bundle.golden is not None else None
        feeds_of = golden.feeds if golden else _synthetic(contract, inputs, ranks, graphs)
        rows = fixed_rows or 3
        probe = dict(zip(graphs.output_names, graphs.run(feeds_of(rows), rows), strict=True))
        binding = bind_outputs(interface, bundle.graph.info, probe, rows)
        reader = OutputReader(binding, graphs.output_names)
        batches = _keeps_rows(graphs, feeds_of, inputs, fixed_rows)
        most = bundle.manifest.serving.max_batch_rows or self.serving.max_batch_rows
        cost = _measure(graphs, feeds_of, most if batches else 1)
        version = ServableVersion(
            model=bundle.model,
            version=bundle.version,
            digest=bundle.digest,
            manifest=bundle.manifest,
            graphs=pair,
            contract=replace(contract, outputs=binding),
            reader=reader,
            inputs=inputs,
            outputs={spec.name: _shown(spec, binding) for spec in bundle.graph.info.outputs},
            ranks=ranks,
            max_batch_rows=most if batches else None,
            inline_rows=cost.rows_within(self.serving.on_loop_ms / 1e3, most if batches else 1),
            cost=cost,
            reference=bundle.reference,
        )
        reader.predictions(version.run(feeds_of(rows), rows, self.handle))
        if golden:
            golden.check(version, self.handle)
        return version

    def _graphs(self, fixed_rows: int) -> GraphPair:
        threads = self.bundle.manifest.serving.threads or 1
        transform = self.bundle.features_graph
        model = self._session(self.bundle.graph, threads)
        return GraphPair(model, self._session(transform, threads) if transform else None, fixed_rows)

    def _session(self, graph: GraphFile, threads: int) -> OnnxSession:
        return OnnxSession(graph.data, graph.external, threads=threads, handle=self.handle)


def _shown(spec: TensorSpec, binding: OutputBinding) -> TensorSpec:
    """Return an output as clients get it: a ZipMap becomes a matrix."""
    is_matrix = binding.zipmap and spec.name == binding.probabilities
    return replace(spec, shape=(-1, len(binding.answered))) if is_matrix else spec


def _fixed_rows(inputs: Mapping[str, TensorSpec]) -> int:
    sizes = {spec.shape[0] if spec.shape else -1 for spec in inputs.values()}
    return sizes.pop() if len(sizes) == 1 and min(sizes) > 0 else 0


def _keeps_rows(
    graphs: _ProbedGraphs, feeds_of: Callable[[int], Feeds], inputs: Mapping[str, TensorSpec], fixed: int
) -> bool:
    """Return whether n rows in give n rows out, which is what batching several requests needs."""
    if fixed:
        return set(row_counts(graphs.run(feeds_of(fixed), fixed))) == {fixed}
    if any(not spec.shape or spec.shape[0] != -1 for spec in inputs.values()):
        return False
    return all(set(row_counts(graphs.run(feeds_of(n), n))) == {n} for n in (1, 2, 3))


def _measure(graphs: _ProbedGraphs, feeds_of: Callable[[int], Feeds], most: int) -> RunCost:
    """Fit the cost of a run through one row and many; medians, since a first run allocates."""
    many = min(most, 32)
    one_s, many_s = _timed(graphs, feeds_of(1), 1), _timed(graphs, feeds_of(many), many)
    row_s = max((many_s - one_s) / max(many - 1, 1), 0.0)
    return RunCost(max(one_s - row_s, 0.0), row_s)


def _timed(graphs: _ProbedGraphs, feeds: Feeds, n: int) -> float:
    seconds = []
    for _ in range(_TIMED_RUNS):
        started = perf_counter()
        graphs.run(feeds, n)
        seconds.append(perf_counter() - started)
    return median(seconds)


def _synthetic(
    contract: Contract, inputs: Mapping[str, TensorSpec], ranks: Mapping[str, int], graphs: _ProbedGraphs
) -> Callable[[int], Feeds]:
    """Return a maker of synthetic inputs that the graph accepts.

    Raises
    ------
    RunFailed
        None of the tried sizes of free axes runs.
    """
    failure = RunFailed("the graph has no inputs")
    fixed = _fixed_rows(inputs)
    batched = bool(fixed) or all(spec.shape and spec.shape[0] == -1 for spec in inputs.values())
    for size in _FREE_AXIS_SIZES:

        def feeds_of(n: int, size: int = size) -> Feeds:
            return {name: _filled(spec, n if batched else 0, size, contract) for name, spec in inputs.items()}

        try:
            n = fixed or 1
            graphs.run(feeds_of(n), n)
        except RunFailed as exc:
            failure = exc
            if exc.terminated:
                break
            continue
        return feeds_of
    raise RunFailed(f"it fails on synthetic rows: {failure}")


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
