"""From a bundle to a servable version: build, probe, measure, and check the golden rows. Blocks; never on the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from threading import Timer
from time import perf_counter, thread_time
from typing import Any

import numpy.typing as npt

from gateway.catalog.bundle import Bundle, GraphFile
from gateway.catalog.manifest import Serving
from gateway.codec.rows import column_ranks
from gateway.contract import OutputBinding
from gateway.engine.binding import BindingInvalid, Hint, bind_inputs, bind_outputs
from gateway.engine.golden import GoldenRows
from gateway.engine.outputs import OutputReader
from gateway.engine.providers import build_session
from gateway.engine.session import OnnxSession, RunFailed, RunHandle, row_counts
from gateway.engine.synthetic_rows import accepted_rows, varied_rows
from gateway.engine.timing import MOST_ROWS_ON_LOOP, USUAL_MOST_ROWS, RateCurve, measure
from gateway.engine.version import GraphPair, ServableVersion
from gateway.errors import VersionRefused
from gateway.settings import ServingSettings
from gateway.types import TensorSpec

__all__ = ["HintsOf", "load_version", "no_hints"]

HintsOf = Callable[[bytes], Mapping[str, Hint]]
Feeds = dict[str, npt.NDArray[Any]]
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
    threads: int = 1,
) -> ServableVersion:
    """Return a version that has answered synthetic rows, was timed, and agrees with its golden rows.

    Parameters
    ----------
    hints_of
        Reads fills and categories out of ``reference.json``.
    threads
        Threads of one run: what the version was granted of those that its manifest asks for.

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
        return _Loading(bundle, serving, unknown_features, hints, handle, threads).version()
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
    threads: int

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
        feeds_of = golden.feeds if golden else accepted_rows(contract, inputs, graphs.run, fixed_rows=fixed_rows)
        rows = fixed_rows or 3
        probe = dict(zip(graphs.output_names, graphs.run(feeds_of(rows), rows), strict=True))
        binding = bind_outputs(interface, bundle.graph.info, probe, rows)
        reader = OutputReader(binding, graphs.output_names)
        batches = _keeps_rows(graphs, feeds_of, inputs, fixed_rows)
        warm_rows = feeds_of if golden or not batches else varied_rows(feeds_of, graphs.run)
        curve, most = self._timed(graphs, warm_rows, batches)
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
            inline_rows=curve.cost.rows_within(self.serving.on_loop_ms / 1e3, most),
            on_loop_s=self.serving.on_loop_ms / 1e3,
            alone_s=self.serving.alone_on_loop_ms / 1e3 if batches and self._is_steady() else 0.0,
            curve=curve,
            reference=bundle.reference,
            evidence=bundle.evidence,
        )
        reader.predictions(version.run(feeds_of(rows), rows, self.handle))
        if golden:
            golden.check(version, self.handle)
        return version

    def _is_steady(self) -> bool:
        """Return whether no row can make a run long, and runs may be on the loop at all."""
        files = (self.bundle.graph, self.bundle.features_graph)
        return bool(self.serving.on_loop_ms) and all(file.info.is_steady for file in files if file is not None)

    def _timed(self, graphs: _ProbedGraphs, feeds_of: Callable[[int], Feeds], batches: bool) -> tuple[RateCurve, int]:
        """Return what runs take, and the rows that a batch may have: no more than came through.

        Where nobody says how many, more than the usual only where such a run still fits the loop.
        """
        declared = self.bundle.manifest.serving
        asked = self.serving.max_batch_rows if declared.max_batch_rows is None else declared.max_batch_rows
        most, large_s = asked if batches else 1, inf
        if not most:
            most, large_s = MOST_ROWS_ON_LOOP, self.serving.on_loop_ms / 1e3
        curve = measure(graphs.run, feeds_of, most, large_s=large_s, clock=_clock(declared, self.threads))
        if curve.failed_rows:
            return curve, min(most, curve.most_rows)
        return curve, most if large_s == inf else max(curve.most_rows, USUAL_MOST_ROWS)

    def _graphs(self, fixed_rows: int) -> GraphPair:
        transform = self.bundle.features_graph
        model = self._session(self.bundle.graph)
        return GraphPair(model, self._session(transform) if transform else None, fixed_rows)

    def _session(self, graph: GraphFile) -> OnnxSession:
        serving = self.bundle.manifest.serving
        return build_session(graph.data, graph.external, serving, threads=self.threads, handle=self.handle)


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


def _clock(serving: Serving, threads: int) -> Callable[[], float]:
    """Return the clock to measure with: where one thread does all the work, one that stands still while it waits.

    Versions are loaded beside others that serve, and workers start at the same time; neither is to look like a cost.
    """
    works_alone = threads == 1 and not set(serving.providers) - {"cpu"}
    return thread_time if works_alone else perf_counter
