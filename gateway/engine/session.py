"""An ONNX Runtime session built from bytes, set up for serving: one thread, no spinning, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from gateway.engine.lean_graph import Buffer

__all__ = ["OnnxSession", "ProviderSetup", "RunFailed", "RunHandle", "row_counts"]

ProviderSetup: TypeAlias = tuple[str, dict[str, str]]
"""ONNX Runtime's name of an execution provider, and its options."""

_ON_CPU: Final[tuple[ProviderSetup, ...]] = (("CPUExecutionProvider", {}),)
_LONGEST: Final = 500


class RunFailed(Exception):
    """The runtime raised. ``terminated`` tells a run that was stopped on purpose from one that failed."""

    def __init__(self, detail: str, *, terminated: bool = False) -> None:
        super().__init__(detail)
        self.terminated = terminated


class RunHandle:
    """Lets another thread stop a run between two nodes of the graph."""

    def __init__(self) -> None:
        self.options = ort.RunOptions()
        self._terminated = False
        self._builds: list[ort.SessionOptions] = []

    @property
    def terminated(self) -> bool:
        """Whether ``terminate`` was called."""
        return self._terminated

    def terminate(self) -> None:
        """Stop the run or the build that carries this handle; it raises ``RunFailed``. Safe from any thread."""
        self._terminated = True
        self.options.terminate = True
        for options in self._builds:
            options.set_load_cancellation_flag(True)

    def covers(self, options: ort.SessionOptions) -> None:
        """Let the handle stop the build of a session with these options too."""
        self._builds.append(options)
        options.set_load_cancellation_flag(self._terminated)


class OnnxSession:
    """One graph, ready to run. ``run`` is safe from several threads at once.

    Parameters
    ----------
    data
        The ONNX file.
    external
        Files that hold the graph's external tensors, by the name the graph uses.
    threads
        Intra-op threads. More than the free cores makes every model slower; the default suits many sessions on few
        cores.
    providers
        Where nodes run, the first that can; ``self.providers`` are those in use, by their short names.
    """

    def __init__(
        self,
        data: bytes,
        external: Mapping[str, Buffer] | None = None,
        *,
        threads: int = 1,
        handle: RunHandle | None = None,
        providers: Sequence[ProviderSetup] = _ON_CPU,
    ) -> None:
        options = ort.SessionOptions()
        if handle is not None:
            handle.covers(options)
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        if external:
            names = list(external)
            blobs = [external[name] for name in names]
            options.add_external_initializers_from_files_in_memory(names, blobs, [len(blob) for blob in blobs])
        try:
            self._session = ort.InferenceSession(data, options, providers=list(providers), enable_fallback=0)
        except Exception as exc:  # the binding raises its own unrelated exception classes
            raise RunFailed(_in_words(exc)) from exc
        self.providers = tuple(_short(name) for name in self._session.get_providers())
        self.input_names = tuple(node.name for node in self._session.get_inputs())
        self.output_names = tuple(node.name for node in self._session.get_outputs())
        self._wanted = list(self.output_names)  # who names no outputs has the names of all looked up at every run

    def run(self, feeds: Mapping[str, npt.NDArray[Any]], handle: RunHandle | None = None) -> Sequence[Any]:
        """Return all outputs in graph order.

        Raises
        ------
        RunFailed
            The runtime raised, or ``handle`` was terminated.
        """
        try:
            return self._session.run(self._wanted, feeds, handle.options if handle else None)  # type: ignore[no-any-return]
        except Exception as exc:  # the binding raises its own unrelated exception classes
            raise RunFailed(_in_words(exc), terminated=handle is not None and handle.terminated) from exc


def _in_words(exc: Exception) -> str:
    """Return an error in one line, of a long one both ends: signatures of C++ may stand before what went wrong."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    return text if len(text) <= _LONGEST else f"{text[:150]} … {text[150 - _LONGEST :]}"


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider").lower()


def row_counts(outputs: Sequence[Any]) -> list[int]:
    """Return the length of each output's first axis; -1 for a scalar."""
    return [len(o) if isinstance(o, list) or np.ndim(o) else -1 for o in outputs]
