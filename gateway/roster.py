"""The roster: keeps a process's loaded versions in step with the store's documents, without disturbing what serves.

Store calls block and happen in the roster's store thread; loading happens in its loader thread, one version at a time;
decisions and publication happen on the event loop, in ``tick()``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.access.tokens import Token
from gateway.catalog.eviction import role_of
from gateway.catalog.folder_watch import FolderWatch, Name, newest_first
from gateway.catalog.folders import Stamp
from gateway.catalog.repository import Repository
from gateway.catalog.residency import Residency
from gateway.crashes import Crash
from gateway.engine.memory import return_free_memory
from gateway.engine.version import ServableVersion
from gateway.errors import StoreUnavailable, WeirError
from gateway.gently import gently
from gateway.resting import RestKeeper
from gateway.routing.document import RouteDocument, without_canary
from gateway.snapshot import Snapshot, read_snapshot
from gateway.state.facts import encode_facts
from gateway.state.store import StateStore
from gateway.types import VersionStatus, WorkerFacts
from monitors.ports import Clock

__all__ = ["Loader", "Roster", "Wanted"]

_ANNOUNCE_EVERY_S = 1.0
_ANNOUNCE_TTL_S = 5.0
_ORPHANED_S = 900.0
"""Without the store for so long, a process gives no canary traffic: whoever watches the canary cannot take it back."""

_log = logging.getLogger("weir.roster")
_T = TypeVar("_T")

Loader = Callable[[str, str], ServableVersion]
Wanted = Callable[[list[str], RouteDocument | None, Residency], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Failure:
    """A load that failed; it is tried again when operators ask anew, the files have changed, or the store is back."""

    asked: int
    stamp: Stamp | None
    status: VersionStatus
    was_store: bool = False


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
    tidy
        Called in the loader thread after the last holder of a version, a request perhaps, has let it go.
    rest
        Says which wanted versions rest on disk for now; without, none does.
    crashed
        Returns the versions that brought a process down; reads a file. They are not kept, except where a route has them
        as the stable version or as the one before it; and where they are not loaded yet, such are not tried for ever.
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
        tidy: Callable[[], object] = return_free_memory,
        rest: RestKeeper | None = None,
        crashed: Callable[[], Mapping[Name, Crash]] = dict,
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
        self._is_published = True
        self._tidy, self._gone = tidy, threading.Event()
        self._rest = rest
        self._resting: Mapping[Name, str] = {}
        self._look_for_crashes, self._crashed = crashed, dict[Name, str]()
        self._blamed: Mapping[Name, Crash] = {}
        self._announced_at = -1e9
        self._answered_at = clock.monotonic_s()
        self.draining = False
        self.store_is_up = True

    async def call(self, function: Callable[..., _T], *args: object) -> _T:
        """Run a blocking store call in the roster's store thread."""
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, function, *args)

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Stored documents that cannot be read, by key, with the reason; their models keep what they have."""
        return self._snapshot.unreadable

    @property
    def tokens(self) -> Mapping[str, Token]:
        """The tokens of the store by id, as this process last read them."""
        return self._snapshot.tokens

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is loaded or has failed."""
        return self._snapshot.revision >= 0 and not self._loading and self._next() is None

    def status(self) -> dict[str, dict[str, VersionStatus]]:
        """Return the state of every version this process knows, by model and version."""
        found: dict[str, dict[str, VersionStatus]] = {}
        for (model, version), failure in self._failed.items():
            found.setdefault(model, {})[version] = failure.status
        for (model, version), why in self._resting.items():
            found.setdefault(model, {})[version] = VersionStatus("resting", why=why)
        for (model, version), why in self._crashed.items():
            found.setdefault(model, {})[version] = VersionStatus("crashed", why=why)
        for model, version in self._loading:
            found.setdefault(model, {})[version] = VersionStatus("loading")
        for (model, version), servable in self._loaded.items():
            blamed = self._blamed.get((model, version))
            found.setdefault(model, {})[version] = VersionStatus(
                "ready",
                servable.digest,
                why=f"relied on, although {blamed.why}" if blamed else "",
                provider=servable.provider,
                memory_bytes=servable.memory_bytes,
            )
        return found

    def find(self, model: str, version: str) -> ServableVersion | None:
        """Return a version that is loaded here; safe from any thread."""
        return self._loaded.get((model, version))

    async def tick(self) -> None:
        """Take one step: notice changed documents, load or drop one version, publish, announce.

        What ``publish`` raises goes to the caller; the next tick publishes again.
        """
        revision, blamed = await self.call(self._look)
        try:
            changed = await self._refresh(revision)
            self._note_return()
        except StoreUnavailable as error:
            if self.store_is_up:
                _log.warning("the state store is away, serving goes on: %s", error)
            self.store_is_up = False
            changed = await self._recall() or self._orphan()
        self._is_published &= not changed
        await self._scan(is_due=changed)
        changed |= self._reap()
        changed |= self._note_crashes(blamed)
        changed |= self._note_rest()
        changed |= self._drop_unwanted()
        self._is_published &= not changed
        self._start_next()
        self._tidy_up()
        try:
            if not self._is_published:
                self._applied = self._publish(self._snapshot.routes, dict(self._loaded))
                self._is_published = True
        finally:
            if self.store_is_up and (changed or self._clock.monotonic_s() - self._announced_at > _ANNOUNCE_EVERY_S):
                await self.announce()

    async def announce(self) -> None:
        """Tell the store what this process has."""
        self._announced_at = self._clock.monotonic_s()
        facts = WorkerFacts(
            self._worker,
            self._pid,
            self._started_at,
            self.status(),
            dict(self._applied),
            draining=self.draining,
            revision=max(0, self._snapshot.revision),
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

    def _look(self) -> tuple[int | StoreUnavailable, Mapping[Name, Crash]]:
        """Return the store's revision, and which versions brought a process down: one way to the thread for both."""
        blamed = self._look_for_crashes()
        try:
            return self._store.revision(), blamed
        except StoreUnavailable as error:
            return error, blamed

    async def _refresh(self, revision: int | StoreUnavailable) -> bool:
        if isinstance(revision, StoreUnavailable):
            raise revision
        self._answered_at = self._clock.monotonic_s()
        if revision == self._snapshot.revision:
            return False
        before = self._snapshot
        self._snapshot = await self.call(read_snapshot, self._store, revision, before)
        self._note_asked(before)
        for key, why in self._snapshot.unreadable.items():
            if before.unreadable.get(key) != why:
                _log.error("%s cannot be read; a model keeps what it has, a token opens nothing: %s", key, why)
        return True

    def _note_return(self) -> None:
        """Try again, once the store answers, what did not load for want of it."""
        if not self.store_is_up:
            self._failed = {name: failure for name, failure in self._failed.items() if not failure.was_store}
        self.store_is_up = True

    async def _recall(self) -> bool:
        """Begin with what the store remembers while it is away, if anything, and without canary traffic."""
        if self._snapshot.revision >= 0:
            return False
        try:
            known = await self.call(read_snapshot, self._store, 0, self._snapshot)
        except StoreUnavailable:
            return False
        self._snapshot = replace(known, routes={model: without_canary(route) for model, route in known.routes.items()})
        _log.warning("serving begins with the last known routes, without canaries")
        return True

    def _orphan(self) -> bool:
        """Give canaries no traffic once the store has been away for long; return whether one had some."""
        routes = self._snapshot.routes
        has_traffic = any(route.canary is not None and route.canary.weight_bp for route in routes.values())
        if not has_traffic or self._clock.monotonic_s() - self._answered_at < _ORPHANED_S:
            return False
        # At revision 0, so that everything is read when the store is back, whatever has changed in it.
        self._snapshot = replace(
            self._snapshot, revision=0, routes={model: without_canary(route) for model, route in routes.items()}
        )
        _log.warning("the state store has been away for %.0f s: canaries get no traffic until it answers", _ORPHANED_S)
        return True

    def _note_asked(self, before: Snapshot) -> None:
        """Wake what operators have pinned anew."""
        for model, (revision, residency) in self._snapshot.residency.items():
            if self._rest is not None and revision != before.residency.get(model, (0, residency))[0]:
                for version in residency.pinned:
                    self._rest.ask((model, version))

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

    def _note_crashes(self, blamed: Mapping[Name, Crash]) -> bool:
        """Take note of the versions that brought a process down; return whether others did than before."""
        before, blamed_before = self._crashed, self._blamed
        self._blamed = blamed
        self._crashed = {name: one.why for name, one in self._blamed.items() if not self._is_kept(name, one)}
        return self._crashed.keys() != before.keys() or self._blamed.keys() != blamed_before.keys()

    def _is_kept(self, name: Name, crash: Crash) -> bool:
        """Return whether a version that brought a process down is kept, or loaded, all the same."""
        return self._is_relied_on(*name) and (name in self._loaded or not crash.is_hopeless)

    def _is_relied_on(self, model: str, version: str) -> bool:
        route = self._snapshot.routes.get(model)
        return route is not None and version in (route.stable, route.previous_stable)

    def _note_rest(self) -> bool:
        """Ask which versions rest; return whether others do than before."""
        if self._rest is None:
            return False
        before, self._resting = self._resting, {}
        snapshot = self._snapshot
        roles = [
            (name, role_of(name[1], snapshot.routes.get(name[0]), self._residency(name[0])[1]))
            for name in self._wanted_names()
        ]
        self._resting = self._rest.look(roles, self._loaded, self._on_disk)
        return self._resting.keys() != before.keys()

    def _wanted_names(self) -> list[Name]:
        snapshot = self._snapshot
        names: list[Name] = []
        for model in sorted({*snapshot.routes, *self._newest}):
            residency = self._residency(model)[1]
            versions = self._wanted(self._newest.get(model, []), snapshot.routes.get(model), residency)
            names += [
                (model, version)
                for version in versions
                if not {(model, version)} & (self._resting.keys() | self._crashed.keys())
            ]
        return names

    def _residency(self, model: str) -> tuple[int, Residency]:
        return self._snapshot.residency.get(model, (0, Residency()))

    def _asked(self, name: Name) -> int:
        """Return the revision of what operators last asked for a version's model."""
        return self._residency(name[0])[0]

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

    def _tidy_up(self) -> None:
        """Give the memory of versions that have gone back, between loads: a load does so itself at its end."""
        if self._gone.is_set() and not self._loading:
            self._gone.clear()
            self._loader_thread.submit(gently, self._tidy)

    def _reap(self) -> bool:
        done = [name for name, future in self._loading.items() if future.done()]
        for name in done:
            future = self._loading.pop(name)
            error = future.exception()
            if error is None:
                self._loaded[name] = servable = future.result()
                # The event is set when the version is about to be freed; the tick after that finds its memory free.
                weakref.finalize(servable, self._gone.set).atexit = False
                _log.info("loaded %s version %s", *name)
            else:
                self._note_failure(name, error)
        return bool(done)

    def _note_failure(self, name: Name, error: BaseException) -> None:
        expected = isinstance(error, WeirError)
        status = VersionStatus("refused" if expected else "failed", why=str(error) or type(error).__name__)
        self._failed[name] = _Failure(*self._attempt, status, isinstance(error, StoreUnavailable))
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
