"""Which versions the metrics page still shows: those that some worker has or a route names, and a while longer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitors.ports import Clock

__all__ = ["Retention"]

_KEPT_S = 600.0

Name = tuple[str, str]


class Retention:
    """Leaves out the series of versions that are unloaded, so that the page does not grow with every release.

    Only the page forgets: totals stay where they are kept, and a version that is loaded again counts on. What a version
    last counted stays visible for ten minutes, which is many scrapes. While nobody can tell which versions are loaded,
    nothing is left out.

    Parameters
    ----------
    clock
        Its monotonic side counts.
    """

    def __init__(self, clock: Clock, *, kept_s: float = _KEPT_S) -> None:
        self._clock, self._kept_s = clock, kept_s
        self._noted_at = clock.monotonic_s()
        self._seen: dict[Name, float] = {}

    def note(self, loaded: Iterable[Name]) -> None:
        """Take note of every (model, version) that is in use now."""
        self._noted_at = now_s = self._clock.monotonic_s()
        self._seen.update((name, now_s) for name in loaded)

    def keeps(self, labels: Mapping[str, str]) -> bool:
        """Return whether a series with these labels belongs on the page; one that is met first begins its time now."""
        if "model" not in labels or "version" not in labels:
            return True
        seen_at = self._seen.setdefault((labels["model"], labels["version"]), self._noted_at)
        return self._noted_at - seen_at <= self._kept_s
