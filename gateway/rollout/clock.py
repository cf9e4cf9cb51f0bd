"""How long a rollout has been where it is, by a clock that does not jump."""

from __future__ import annotations

from monitors.ports import Clock

__all__ = ["StageClock"]

_Place = tuple[object, ...]


class StageClock:
    """Seconds since a rollout came to a place.

    A leader that finds a rollout somewhere believes the stored wall time once, so that a new leader goes on where the
    old one stopped; from then on only the monotonic clock counts. A wall clock that stands before the stored time
    counts as no time at all.

    Parameters
    ----------
    clock
        Both clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, tuple[_Place, float]] = {}

    def seconds(self, name: str, place: _Place, entered_at: float) -> float:
        """Return the seconds since ``name`` came to ``place``, which it did at a wall time of ``entered_at``."""
        now_s = self._clock.monotonic_s()
        known = self._since.get(name)
        if known is None or known[0] != place:
            passed_s = max(0.0, self._clock.unix_s() - entered_at)
            known = self._since[name] = (place, now_s - passed_s)
        return now_s - known[1]

    def keep(self, names: set[str]) -> None:
        """Forget all but these."""
        self._since = {name: known for name, known in self._since.items() if name in names}
