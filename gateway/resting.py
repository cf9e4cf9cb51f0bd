"""When versions were last used, and which of them rest on disk for now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gateway.catalog.eviction import Candidate, Role, resting_versions
from gateway.catalog.folders import Stamp
from gateway.engine.version import ServableVersion
from monitors.ports import Clock

__all__ = ["RestKeeper"]

Name = tuple[str, str]


class RestKeeper:
    """Watches use and asks the policy, once a tick. Lives on the event loop.

    Requests write nothing here: that a version is used shows in counters that are kept anyway. Only a request for a
    model that rests calls ``wake``, and one that names a version that rests ``ask``.

    Parameters
    ----------
    budget_bytes, idle_ttl_s
        As ``resting_versions`` takes them.
    uses
        Returns a number for each version that rises when it is used.

    Attributes
    ----------
    resting
        Wanted versions that rest, each with the reason.
    returning
        Versions that rested and have been asked for, but are not back in memory yet.
    """

    def __init__(
        self, clock: Clock, *, budget_bytes: int, idle_ttl_s: float, uses: Callable[[], Mapping[Name, int]]
    ) -> None:
        self._clock, self._uses = clock, uses
        self._budget_bytes, self._idle_ttl_s = budget_bytes, idle_ttl_s
        self._seen: Mapping[Name, int] = {}
        self._used_at: dict[Name, float] = {}
        self._took: dict[Name, int] = {}
        self._woken: set[str] = set()
        self.resting: Mapping[Name, str] = {}
        self.returning: frozenset[Name] = frozenset()

    def wake(self, model: str) -> None:
        """Note that a request came for a model whose stable version rests."""
        self._woken.add(model)

    def ask(self, name: Name) -> None:
        """Note that an operator, or a request, asks for a version."""
        self._used_at[name] = self._clock.monotonic_s()

    def look(
        self,
        wanted: Iterable[tuple[Name, Role]],
        loaded: Mapping[Name, ServableVersion],
        on_disk: Mapping[Name, Stamp],
    ) -> Mapping[Name, str]:
        """Return the wanted versions that rest from now on, each with the reason."""
        now_s, roles = self._clock.monotonic_s(), dict(wanted)
        self._note_use(roles, loaded, now_s)
        candidates = [
            Candidate(name, role, self._size(name, on_disk), now_s - self._used_at[name], name in loaded)
            for name, role in roles.items()
        ]
        rested = self.returning | self.resting.keys()
        self.resting = resting_versions(candidates, budget_bytes=self._budget_bytes, idle_ttl_s=self._idle_ttl_s)
        self.returning = frozenset((rested & roles.keys()) - self.resting.keys() - loaded.keys())
        return self.resting

    def _note_use(self, roles: Mapping[Name, Role], loaded: Mapping[Name, ServableVersion], now_s: float) -> None:
        uses = self._uses()
        used = {name for name, count in uses.items() if count != self._seen.get(name, 0)}
        woken = {name for name, role in roles.items() if role == "stable" and name[0] in self._woken}
        fresh = loaded.keys() - self._took.keys()
        self._seen, self._woken = uses, set()
        self._took = {name: took for name, took in self._took.items() if name in roles}
        self._took |= {name: servable.memory_bytes for name, servable in loaded.items()}
        before = self._used_at
        self._used_at = {name: now_s if name in used | woken | fresh else before.get(name, now_s) for name in roles}

    def _size(self, name: Name, on_disk: Mapping[Name, Stamp]) -> int:
        """Return what a version took when it was loaded, else what its files hold."""
        took = self._took.get(name)
        return sum(size for _, _, size, _ in on_disk.get(name, ())) if took is None else took
