"""Values that several rooms of the gateway share: what a graph looks like, and what a worker says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Actor", "GraphInfo", "LoadState", "Role", "TensorSpec", "VersionStatus", "WorkerFacts"]

Role = Literal["viewer", "operator", "approver", "admin"]
LoadState = Literal["loading", "ready", "resting", "failed", "refused", "crashed"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One graph input or output. ``dtype`` is numpy's name, or ``string``, ``map`` (ZipMap), ``other``; -1 is a free
    axis.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphInfo:
    """What can be read from an ONNX file without running it.

    ``class_labels`` are those of the graph's own classifier node, empty where it has none or several that differ.
    ``external_files`` are the file names that hold tensors outside the graph. ``is_steady`` says that what a run costs
    depends on the number of its rows alone.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    class_labels: tuple[str, ...] = ()
    external_files: tuple[str, ...] = ()
    ir_version: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    producer: str = ""
    is_steady: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change: subject, the role it acts in, how it was authenticated, from where, by which token."""

    subject: str
    role: str = "admin"
    method: str = "token"
    address: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """State of one version on one worker; ``why`` says it in words where it is not ready, or brought a process down.

    ``provider`` is the execution provider that it runs on, ``memory_bytes`` what it took to load.
    """

    state: LoadState
    digest: str = ""
    why: str = ""
    provider: str = ""
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What a worker announces: which versions it has, which route revision of each model it applies, and as of which
    audit record it has read the store.
    """

    worker: str
    pid: int
    started_at: float
    versions: dict[str, dict[str, VersionStatus]] = field(default_factory=dict)
    routes: dict[str, int] = field(default_factory=dict)
    draining: bool = False
    revision: int = 0
