"""The live workers as their announcements show them: who has which version ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import VersionNotWarm
from gateway.state.facts import decode_facts
from gateway.types import VersionStatus, WorkerFacts

__all__ = ["SHADOW_PREFIX", "Fleet", "LoadProgress"]

SHADOW_PREFIX = "shadow"
"""The shadow process announces itself as a worker whose name starts so."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Where a version stands on the workers that matter: ready on all, failed on one, or still on its way."""

    model: str
    version: str
    state: Literal["ready", "loading", "failed"]
    workers: dict[str, VersionStatus]

    @property
    def why(self) -> str:
        """What keeps it from being ready, worker by worker."""
        return "; ".join(f"{worker}: {_said(status)}" for worker, status in self.workers.items() if not _ready(status))

    @property
    def crash(self) -> str:
        """How the version brought a process down, empty where it did not; one that is relied on is still ready."""
        told = (status.why for status in self.workers.values() if status.state in ("crashed", "ready"))
        return next(filter(None, told), "")


@dataclass(frozen=True, slots=True)
class Fleet:
    """All live workers at one moment. Workers that drain take no new traffic and hold nothing up."""

    workers: tuple[WorkerFacts, ...]

    @classmethod
    def of(cls, announcements: Mapping[str, bytes]) -> Fleet:
        """Read the announcements of a store; raise ``DocumentInvalid`` for one that is no worker's."""
        return cls(tuple(decode_facts(facts) for facts in announcements.values()))

    @property
    def serving(self) -> tuple[WorkerFacts, ...]:
        """Workers that answer requests."""
        return tuple(w for w in self.workers if not w.worker.startswith(SHADOW_PREFIX) and not w.draining)

    @property
    def shadows(self) -> tuple[WorkerFacts, ...]:
        """The shadow processes, one a host."""
        return tuple(w for w in self.workers if w.worker.startswith(SHADOW_PREFIX) and not w.draining)

    def statuses(self, model: str, version: str) -> dict[str, VersionStatus]:
        """Return what each worker that knows the version says of it."""
        told = {w.worker: w.versions.get(model, {}).get(version) for w in self.workers}
        return {worker: status for worker, status in told.items() if status is not None}

    def digests(self, model: str, versions: Iterable[str]) -> dict[str, str]:
        """Return the digest of each version; those on which workers differ, or of which none tells, are left out."""
        told = {one: {status.digest for status in self.statuses(model, one).values()} - {""} for one in versions}
        return {version: next(iter(digests)) for version, digests in told.items() if len(digests) == 1}

    def require_warm(self, model: str, version: str) -> None:
        """Raise ``VersionNotWarm`` unless every worker that answers requests has the version ready."""
        if not self.serving:
            raise VersionNotWarm(model, version, "no worker has announced itself")
        statuses = {w.worker: w.versions.get(model, {}).get(version) for w in self.serving}
        cold = [f"{worker}: {_said(status)}" for worker, status in statuses.items() if not _ready(status)]
        if cold:
            raise VersionNotWarm(model, version, "; ".join(cold))

    def progress(self, model: str, version: str) -> LoadProgress:
        """Say how far loading is: on every worker that answers, and on a shadow process that has begun it."""
        known = self.statuses(model, version)
        named = {w.worker for w in self.serving} | {w.worker for w in self.shadows if w.worker in known}
        workers = {worker: known.get(worker, ABSENT) for worker in sorted(named)}
        states = {status.state for status in workers.values()}
        if states & {"failed", "refused", "crashed"}:
            return LoadProgress(model, version, "failed", workers)
        return LoadProgress(model, version, "ready" if states == {"ready"} else "loading", workers)


ABSENT = VersionStatus("loading", why="not begun")


def _ready(status: VersionStatus | None) -> bool:
    return status is not None and status.state == "ready"


def _said(status: VersionStatus | None) -> str:
    if status is None:
        return "not loaded"
    return f"{status.state}, {status.why}" if status.why else status.state
