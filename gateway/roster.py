"""The roster: keeps a process's loaded versions in step with the store's documents, without disturbing what serves.

Store calls block and happen in the roster's store thread; loading happens in its loader thread, one version at a time;
decisions and publication happen on the event loop, in ``tick()``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.catalog.folder_watch import FolderWatch, Name, newest_first
from gateway.catalog.repository import Repository, Stamp
from gateway.catalog.residency import Residency
from gateway.codec.documents import decode_document
from gateway.engine.version import ServableVersion
from gateway.errors import StoreUnavailable, WeirError
from gateway.routing.codec import decode_route
from gateway.routing.document import RouteDocument
from gateway.state.facts import encode_facts
from gateway.state.store import StateStore
from gateway.types import VersionStatus, WorkerFacts
from monitors.ports import Clock

__all__ = ["Loader", "Roster", "Snapshot", "Wanted"]

_ANNOUNCE_EVERY_S = 1.0
_ANNOUNCE_TTL_S = 5.0
_log = logging.getLogger("weir.roster")
_T = TypeVar("_T")

Loader = Callable[[str, str], ServableVersion]
Wanted = Callable[[list[str], RouteDocument | None, Residency], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store says: routes, and residency with its revision."""

    revision: int = -1
    routes: Mapping[str, RouteDocument] = field(default_factory=dict)
    residency: Mapping[str, tuple[int, Residency]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A load that failed; it is tried again when operators ask anew or the files have changed."""

    asked: int
    stamp: Stamp | None
    status: VersionStatus


class Roster:
    """Loaded versions and routes of one process.

    Parameters
    ----------
    load
        Reads, admits, builds and checks one version; blocks; raises ``WeirError``.
    wanted
        Which versions of a model to keep, in loading order.
    scan_s
        Seconds between looks at the folder; without, it is looked at when something changes in the store.
    publish
        Called on the loop whenever routes or loaded versions changed; returns the revision applied for each model.
    """

    def __init__(
        self,
        store: StateStore,
        repository: Repository,
        clock: Clock,
        *,
        worker: str,
        pid: int,
        scan_s: float = 0.0,
        load: Loader,
        wanted: Wanted,
        publish: Callable[[Mapping[str, RouteDocument], Mapping[Name, ServableVersion]], Mapping[str, int]],
    ) -> None:
        self._store, self._clock = store, clock
        self._folder, self._scan_s, self._scanned_at = FolderWatch(repository), scan_s, -1e9
        self._worker, self._pid, self._started_at = worker, pid, clock.unix_s()
        self._load, self._wanted, self._publish = load, wanted, publish
        self._store_thread = ThreadPoolExecutor(1, thread_name_prefix="weir-store")
        self._loader_thread = ThreadPoolExecutor(1, thread_name_prefix="weir-loader")
        self._snapshot = Snapshot()
        self._loaded: dict[Name, ServableVersion] = {}
        self._on_disk: Mapping[Name, Stamp] = {}
        self._newest: Mapping[str, list[str]] = {}
        self._failed: dict[Name, _Failure] = {}
        self._loading: dict[Name, asyncio.Future[ServableVersion]] = {}
        self._attempt: tuple[int, Stamp | None] = (0, None)
        self._applied: Mapping[str, int] = {}
        self._announced_at = -1e9
        self.draining = False
        self.store_is_up = True

    async def call(self, function: Callable[..., _T], *args: object) -> _T:
        """Run a blocking store call in the roster's store thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, function, *args)

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is loaded or has failed."""
        return self._snapshot.revision >= 0 and not self._loading and self._next() is None

    def status(self) -> dict[str, dict[str, VersionStatus]]:
        """Return the state of every version this process knows, by model and version."""
        found: dict[str, dict[str, VersionStatus]] = {}
        for (model, version), failure in self._failed.items():
            found.setdefault(model, {})[version] = failure.status
        for model, version in self._loading:
            found.setdefault(model, {})[version] = VersionStatus("loading")
        for (model, version), servable in self._loaded.items():
            found.setdefault(model, {})[version] = VersionStatus("ready", servable.digest)
        return found

    async def tick(self) -> None:
        """Take one step: notice changed documents, load or drop one version, publish, announce."""
        try:
            changed = await self._refresh()
            self.store_is_up = True
        except StoreUnavailable as error:
            if self.store_is_up:
                _log.warning("the state store is away, serving goes on: %s", error)
            self.store_is_up = changed = False
        await self._scan(is_due=changed)
        changed |= self._reap()
        changed |= self._drop_unwanted()
        self._start_next()
        if changed:
            self._applied = self._publish(self._snapshot.routes, dict(self._loaded))
        if self.store_is_up and (changed or self._clock.monotonic_s() - self._announced_at > _ANNOUNCE_EVERY_S):
            await self.announce()

    async def announce(self) -> None:
        """Tell the store what this process has."""
        self._announced_at = self._clock.monotonic_s()
        facts = WorkerFacts(
            self._worker, self._pid, self._started_at, self.status(), dict(self._applied), draining=self.draining
        )
        try:
            await self.call(self._store.announce, self._worker, encode_facts(facts), _ANNOUNCE_TTL_S)
        except StoreUnavailable:
            self.store_is_up = False

    async def close(self) -> None:
        """Retire from the store and end the threads; a load that is under way is abandoned."""
        try:
            await self.call(self._store.retire, self._worker)
        except StoreUnavailable as error:
            _log.warning("could not retire: %s", error)
        self._store_thread.shutdown(wait=False)
        self._loader_thread.shutdown(wait=False, cancel_futures=True)

    async def _refresh(self) -> bool:
        revision = await self.call(self._store.revision)
        if revision == self._snapshot.revision:
            return False
        self._snapshot = await self.call(self._read, revision)
        return True

    def _read(self, revision: int) -> Snapshot:
        routes = {}
        for document in self._store.read_prefix("route/"):
            route = decode_route(document.body, document.revision)
            routes[route.model] = route
        residency = {
            document.key.removeprefix("residency/"): (
                document.revision,
                decode_document(document.body, Residency, source=document.key),
            )
            for document in self._store.read_prefix("residency/")
        }
        return Snapshot(revision, routes, residency)

    async def _scan(self, *, is_due: bool) -> None:
        """Look at the folder: when it is time, or where nobody looks by time, with every change of the store."""
        if self._scan_s:
            now_s = self._clock.monotonic_s()
            if now_s - self._scanned_at >= self._scan_s:
                self._scanned_at = now_s
                self._take(await self.call(self._folder.look))
        elif is_due:
            self._take(await self.call(self._folder.everything))

    def _take(self, on_disk: Mapping[Name, Stamp]) -> None:
        self._on_disk, self._newest = on_disk, newest_first(on_disk)

    def _wanted_names(self) -> list[Name]:
        snapshot = self._snapshot
        names: list[Name] = []
        for model in sorted({*snapshot.routes, *self._newest}):
            _, residency = snapshot.residency.get(model, (0, Residency()))
            versions = self._wanted(self._newest.get(model, []), snapshot.routes.get(model), residency)
            names += [(model, version) for version in versions]
        return names

    def _asked(self, name: Name) -> int:
        """Return the revision of what operators last asked for a version's model."""
        return self._snapshot.residency.get(name[0], (0, Residency()))[0]

    def _next(self) -> Name | None:
        for name in self._wanted_names():
            if name in self._loaded or name in self._loading:
                continue
            failure = self._failed.get(name)
            if failure is None or self._asked(name) > failure.asked or self._on_disk.get(name) != failure.stamp:
                return name
        return None

    def _start_next(self) -> None:
        if self._loading or (name := self._next()) is None:
            return
        self._failed.pop(name, None)
        self._attempt = (self._asked(name), self._on_disk.get(name))
        loop = asyncio.get_running_loop()
        self._loading[name] = loop.run_in_executor(self._loader_thread, self._load, *name)

    def _reap(self) -> bool:
        done = [name for name, future in self._loading.items() if future.done()]
        for name in done:
            future = self._loading.pop(name)
            error = future.exception()
            if error is None:
                self._loaded[name] = future.result()
                _log.info("loaded %s version %s", *name)
            else:
                self._note_failure(name, error)
        return bool(done)

    def _note_failure(self, name: Name, error: BaseException) -> None:
        expected = isinstance(error, WeirError)
        status = VersionStatus("refused" if expected else "failed", why=str(error) or type(error).__name__)
        self._failed[name] = _Failure(*self._attempt, status)
        _log.error("%s version %s did not load: %s", *name, status.why, exc_info=None if expected else error)

    def _drop_unwanted(self) -> bool:
        wanted = set(self._wanted_names())
        unwanted = self._loaded.keys() - wanted
        for name in unwanted:
            del self._loaded[name]
            _log.info("unloaded %s version %s", *name)
        for name in self._failed.keys() - wanted:
            del self._failed[name]
        return bool(unwanted)
