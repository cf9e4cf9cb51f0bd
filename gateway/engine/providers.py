"""Execution providers: what a manifest asks for, what this build of ONNX Runtime has, and what a session uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import onnxruntime as ort

from gateway.catalog.manifest import Serving
from gateway.engine.lean_graph import Buffer
from gateway.engine.session import OnnxSession, ProviderSetup, RunFailed, RunHandle

__all__ = ["build_session", "provider_setups"]

_log = logging.getLogger("weir.engine")
_CPU: Final = "cpu"
_FATAL: Final = 4
_RUNTIME_NAMES: Final = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    _CPU: "CPUExecutionProvider",
}
_PACKAGES: Final = {"cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu", "openvino": "onnxruntime-openvino"}
Build = Callable[..., OnnxSession]


def build_session(
    data: bytes,
    external: Mapping[str, Buffer],
    serving: Serving,
    *,
    threads: int = 1,
    handle: RunHandle | None = None,
    offered: Sequence[str] | None = None,
    build: Build = OnnxSession,
) -> OnnxSession:
    """Return a session on the providers that the manifest asks for, or on the CPU where it declares that fallback.

    Parameters
    ----------
    offered
        ONNX Runtime's names of the providers in its build; asked of it by default.
    build
        What makes a session.

    Raises
    ------
    RunFailed
        The graph does not load, or a provider is absent or did not start, and the manifest does not fall back.

    Notes
    -----
    ONNX Runtime goes on without a provider whose libraries or device are missing, with no more than a line in its log;
    so the session is asked afterwards what it uses.
    """
    if not set(serving.providers) - {_CPU}:
        return build(data, external, threads=threads, handle=handle)
    ort.set_default_logger_severity(_FATAL)  # what goes wrong is raised too; its own lines are none of our log
    try:
        setups = provider_setups(serving, ort.get_available_providers() if offered is None else offered)
        session = build(data, external, threads=threads, handle=handle, providers=setups)
        _check_in_use(serving.providers, session.providers)
        return session
    except RunFailed as exc:
        if serving.provider_fallback != _CPU or (handle is not None and handle.terminated):
            raise
        _log.warning("running on the CPU, which the manifest declares as the fallback: %s", exc)
    return build(data, external, threads=threads, handle=handle)


def provider_setups(serving: Serving, offered: Sequence[str]) -> list[ProviderSetup]:
    """Return providers by ONNX Runtime's names with their options, the CPU last: it takes what others cannot run.

    Raises
    ------
    RunFailed
        A provider is not in this build; says which are, and which package has the missing one.
    """
    wanted = dict.fromkeys([*serving.providers, _CPU])
    for short in wanted:
        if _RUNTIME_NAMES[short] not in offered:
            here = ", ".join(name.removesuffix("ExecutionProvider").lower() for name in offered)
            raise RunFailed(
                f"provider {short} is not in this build of onnxruntime, which offers {here}; it comes with the package "
                f"{_PACKAGES[short]}, installed in place of onnxruntime"
            )
    return [(_RUNTIME_NAMES[short], _options(serving, short)) for short in wanted]


def _options(serving: Serving, short: str) -> dict[str, str]:
    declared: Any = getattr(serving.provider_options, short, None)
    given = asdict(declared) if declared is not None else {}
    return {name: _as_text(value) for name, value in given.items() if value is not None}


def _as_text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _check_in_use(wanted: Sequence[str], used: Sequence[str]) -> None:
    absent = [short for short in wanted if short not in used]
    if absent:
        raise RunFailed(
            f"provider {', '.join(absent)} is in this build of onnxruntime but did not start; the session would use "
            f"{', '.join(used)}: look for its libraries and its device"
        )
