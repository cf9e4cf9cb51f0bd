"""The gate: counts what is in flight in this worker and says, by integer comparison, whether one more may come in."""

from __future__ import annotations

from random import Random

from gateway.admission.deadline import LOW, NORMAL
from gateway.admission.limit import ConcurrencyLimit, Window

__all__ = ["LONGEST_RETRY_S", "TICK_S", "WINDOW_S", "Gate"]

TICK_S = 0.02
"""How often ``tick`` is to be called while there are requests; a window is closed every fifth time."""
WINDOW_S = 0.1
"""How often while there are none: as late as the first window with requests would be closed anyway."""
LONGEST_RETRY_S = 5
"""The longest wait that a refused client is told."""


class Gate:
    """What the request path asks before it spends anything on a request. One a worker, on its event loop only.

    Every request that ``enter`` lets in is counted out once: by ``leave_all`` when the model answered it, by
    ``abandon`` when it was refused later, cancelled or failed.

    Parameters
    ----------
    limit
        The rule that is followed.
    now_s
        ``perf_counter`` at the start.
    seed
        Of the draw of ``retry_after_s``.

    Attributes
    ----------
    in_flight
        Requests let in and not yet counted out.
    entered
        Requests let in since the start.
    is_shedding
        True while requests may be refused for want of room below the ceiling.
    limits
        In-flight counts from which on a priority is refused: high, normal, low.
    sheds_shadow
        True where shadow versions are to get nothing: before any client is refused.
    lag_s
        The loop's lag in the last window.
    pause_s
        Seconds until ``tick`` is to be called again.

    Notes
    -----
    ``enter`` and ``leave_all`` cost about a tenth of a microsecond each.
    """

    __slots__ = (
        "_answered",
        "_due_s",
        "_lag_s",
        "_lag_sum_s",
        "_latency_sum_s",
        "_on_loop",
        "_opened_s",
        "_peak",
        "_random",
        "_refused",
        "_retry_spread_s",
        "_rule",
        "_ticks",
        "entered",
        "in_flight",
        "is_shedding",
        "lag_s",
        "limits",
        "pause_s",
        "sheds_shadow",
    )

    def __init__(self, limit: ConcurrencyLimit, *, now_s: float, seed: int | None = None) -> None:
        self._rule, self._random = limit, Random(seed)
        self.in_flight = self.entered = 0
        self.is_shedding = self.sheds_shadow = False
        self.lag_s = 0.0
        self.limits = _shares(limit.limit)
        self._retry_spread_s = 1.0
        self.pause_s = TICK_S
        self._due_s, self._opened_s = now_s + TICK_S, now_s
        self._answered = self._on_loop = self._refused = self._peak = 0
        self._latency_sum_s = self._lag_s = self._lag_sum_s = 0.0
        self._ticks = 0

    @property
    def is_crowded(self) -> bool:
        """Whether the first, those of low priority, find no room."""
        return self.in_flight >= self.limits[LOW]

    def has_room(self, priority: int) -> bool:
        """Return whether a request would be let in."""
        return self.in_flight < self.limits[priority]

    def enter(self, priority: int = NORMAL) -> bool:
        """Count a request in; false where there is no room for its priority."""
        in_flight = self.in_flight
        if in_flight >= self.limits[priority]:
            self._refused += 1
            return False
        self.in_flight = in_flight = in_flight + 1
        self.entered += 1
        if in_flight > self._peak:
            self._peak = in_flight
        return True

    def enter_all(self, count: int) -> bool:
        """Count in so many requests of normal priority; false, and nothing done, where there is not room for all."""
        in_flight = self.in_flight + count
        if in_flight > self.limits[NORMAL]:
            return False
        self.in_flight = in_flight
        self.entered += count
        if in_flight > self._peak:
            self._peak = in_flight
        return True

    def refuse(self, count: int = 1) -> None:
        """Count refusals without ``enter``; a request that had been let in is yet to be counted out."""
        self._refused += count

    def leave_all(self, answered: int, latency_sum_s: float, *, on_loop: bool) -> None:
        """Count out the requests that one run answered; ``on_loop`` says that such runs are on the event loop."""
        self.in_flight -= answered
        self._answered += answered
        if on_loop:
            self._on_loop += answered
        self._latency_sum_s += latency_sum_s

    def abandon(self) -> None:
        """Count out a request that the model did not answer."""
        self.in_flight -= 1

    def tick(self, now_s: float) -> bool:
        """Note how late the loop is; every tenth of a second, let the rule judge, and return that it did."""
        lag_s = max(now_s - self._due_s, 0.0)
        self._lag_s = max(self._lag_s, lag_s)
        self._lag_sum_s += lag_s
        self._ticks += 1
        is_over = now_s - self._opened_s >= WINDOW_S - TICK_S / 2
        if is_over:
            self._close(now_s)
        self._due_s = now_s + self.pause_s
        return is_over

    def retry_after_s(self) -> int:
        """Return the seconds after which a refused client may try again: 1 to 5, more the more are refused."""
        return 1 + int(self._random.random() * self._retry_spread_s)

    def _close(self, now_s: float) -> None:
        rule, asked = self._rule, self._answered + self._refused
        rule.update(
            Window(
                now_s - self._opened_s,
                self._answered,
                self._latency_sum_s,
                self._lag_s,
                self._peak,
                self._refused,
                self._on_loop,
                self._lag_sum_s / self._ticks,
            )
        )
        self.limits = _shares(rule.limit)
        self.is_shedding = rule.is_shedding
        self.sheds_shadow = rule.is_late
        self.lag_s = self._lag_s
        self.pause_s = TICK_S if asked or self._peak else WINDOW_S
        self._retry_spread_s = 1.0 + (LONGEST_RETRY_S - 1) * (self._refused / asked if asked else 0.0)
        self._open(now_s)

    def _open(self, now_s: float) -> None:
        self._opened_s, self._lag_s, self._lag_sum_s, self._ticks = now_s, 0.0, 0.0, 0
        self._answered = self._on_loop = self._refused = 0
        self._latency_sum_s, self._peak = 0.0, self.in_flight


def _shares(limit: int) -> tuple[int, int, int]:
    """Return the limit of each priority; the low one keeps a place, or it could never come back.

    >>> _shares(100), _shares(2)
    ((100, 90, 70), (2, 2, 2))
    """
    return limit, limit - limit // 10, limit - 3 * limit // 10
