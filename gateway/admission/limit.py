"""How many requests a worker may have in flight: a pure rule from measured windows to a limit.

In the calm nothing is shed: the limit is a ceiling that a sound load does not reach. The length of the queue says
nothing where every pass of the event loop empties it, and many patient connections look like a long queue. So the rule
waits until *time* is lost: until the delay that Little's law foretells for what is in flight, or the lag of the loop,
stands above a high mark. Then it sheds, and holds the measured delay at a low mark, until nothing had to be refused for
a while. Of a model that runs on the loop it holds the lag, at a lower one: what waits is no use to such a model, and a
pass that takes in a thousand requests has lost the first from the processor's caches when the last has come.
"""

from __future__ import annotations

from collections import deque
from typing import Literal, NamedTuple

__all__ = ["ConcurrencyLimit", "Window"]

Mode = Literal["calm", "hold", "look", "floor"]

_LATE, _LATE_OF_FEW, _LATE_BY_LAG, _HELD, _ALLOWED = 4.0, 20.0, 0.5, 0.6, 0.25
"""In latency targets: the delay that is too late, that is for a few, the lag that is; the delays held and allowed."""
_LAG_HELD, _LAG_ALLOWED = 0.03, 0.04
"""In latency targets, where runs are on the loop: the mean lag held, and what may be in flight however late it is."""
_FLOORS_LATE, _FLOORS_HELD = 10.0, 4.0
"""What is too late and what is held, in floors: the larger counts."""
_LEAST, _FEW = 2, 100
_TOO_LATE_WINDOWS, _CALM_WINDOWS, _RATES = 3, 5, 3
_SLOWEST_STEP, _FASTEST_STEP, _FASTEST_BY_LAG = 0.7, 1.15, 1.5
_FEWEST_ANSWERS, _LONGEST_S = 8, 1.0
_FLOOR_FIRST, _FLOOR_EVERY, _FLOOR_WINDOWS = 10, 100, 3
_LOOK_FIRST, _LOOK_AT_LEAST_EVERY, _LOOK_WINDOWS = 30, 600, 5
"""In windows: when the first probe of a kind is due, when the next, how long one takes."""


class Window(NamedTuple):
    """What a worker measured in about a tenth of a second.

    ``latency_sum_s`` is over the ``answered``; ``loop_lag_s`` is the longest that the event loop was late, and
    ``mean_lag_s`` the mean; ``in_flight_peak`` the most requests at once; ``refused`` those that met the limit;
    ``on_loop`` those of the ``answered`` whose model runs on the event loop.
    """

    seconds: float
    answered: int
    latency_sum_s: float
    loop_lag_s: float
    in_flight_peak: int
    refused: int
    on_loop: int = 0
    mean_lag_s: float = 0.0

    @property
    def delay_s(self) -> float:
        """Mean latency and what it does not show: a request waits for a turn of the loop to be read, and for one to go.

        Where nothing was answered, latency is the time for which nothing was.
        """
        latency_s = self.latency_sum_s / self.answered if self.answered else self.seconds
        return latency_s + 2.0 * self.loop_lag_s

    def joined(self, other: Window) -> Window:
        """Return both as one window."""
        return Window(
            self.seconds + other.seconds,
            self.answered + other.answered,
            self.latency_sum_s + other.latency_sum_s,
            max(self.loop_lag_s, other.loop_lag_s),
            max(self.in_flight_peak, other.in_flight_peak),
            self.refused + other.refused,
            self.on_loop + other.on_loop,
            (self.mean_lag_s + other.mean_lag_s) / 2,
        )


class ConcurrencyLimit:
    """The limit of one worker; ``update`` takes a window, and ``limit`` holds until the next.

    Parameters
    ----------
    latency_target_s
        The delay that an overloaded worker keeps below. Nothing is shed before four times as much is lost.
    most
        The ceiling, in the calm too.

    Attributes
    ----------
    limit
        Requests that may be in flight.
    is_shedding
        True while the limit is below the ceiling, or soon will be again.
    is_late
        True as soon as a window was too late, before anything is shed.

    Notes
    -----
    Two things are measured apart from the rule, for some windows, under another limit. The *floor* is the delay with
    hardly anything in flight: a model that is slow by itself is allowed a multiple of it. The *look* lifts the limit,
    ever more rarely, to see whether the load would fit without: clients that come back at once when they are refused
    look like an overload for as long as they are. Work and memory of an update are O(1).

    References
    ----------
    N. Cardwell et al., BBR: Congestion-Based Congestion Control, ACM Queue 2016: rate times delay as the limit, floor
    and bandwidth probed at different times. H. Zhou et al., Overload Control for Scaling WeChat Microservices, SoCC
    2018: judge by time lost, shed by priority. K. Nichols, V. Jacobson, Controlling Queue Delay, ACM Queue 2012: only a
    standing delay is an overload.

    Examples
    --------
    >>> rule = ConcurrencyLimit()
    >>> for _ in range(3):  # 2,000 answers a second, 800 in flight: the last of them will wait for 400 ms
    ...     rule.update(Window(0.1, 200, 60.0, 0.0, 800, 0))
    >>> rule.is_shedding, rule.limit
    (True, 60)
    """

    def __init__(self, *, latency_target_s: float = 0.05, most: int = 4096) -> None:
        self._target_s, self._most = latency_target_s, most
        self._rates: deque[float] = deque(maxlen=_RATES)
        self._unfinished: Window | None = None
        self._mode: Mode = "calm"
        self._windows_left = self._late = self._unrefused = 0
        self._floor_due = self._look_due = 0
        self._look_every = _LOOK_FIRST
        self._held, self._held_by_lag, self._floor_s = float(most), float(most), 0.0
        self.limit = most

    @property
    def is_shedding(self) -> bool:
        """Whether the worker is overloaded."""
        return self._mode != "calm"

    @property
    def is_late(self) -> bool:
        """Whether it is, or soon may be."""
        return self.is_shedding or self._late > 0

    def update(self, window: Window) -> None:
        """Take a window's measurements; one with too few answers is joined with the next."""
        if self._unfinished is not None:
            window = self._unfinished.joined(window)
        is_finished = window.answered >= _FEWEST_ANSWERS or window.seconds >= _LONGEST_S or not window.in_flight_peak
        self._unfinished = None if is_finished else window
        if is_finished:
            self._judge(window)

    def _judge(self, window: Window) -> None:
        self._rates.append(window.answered / window.seconds)
        self._learn_floor(window)
        if self._mode == "calm":
            self._watch(window)
        elif self._mode == "hold":
            self._hold(window)
        elif self._mode == "look":
            self._look(window)
        else:
            self._measure_floor()

    def _learn_floor(self, window: Window) -> None:
        if window.answered and window.in_flight_peak <= _LEAST:
            latency_s = window.latency_sum_s / window.answered
            self._floor_s += 0.5 * (latency_s - self._floor_s) if self._floor_s else latency_s

    def _watch(self, window: Window) -> None:
        """Shed once the delay stands; a pause of the process, however long, is one window."""
        self._late = self._late + 1 if self._is_too_late(window) else 0
        if self._late >= _TOO_LATE_WINDOWS:
            self._unrefused, self._floor_due, self._look_due = 0, _FLOOR_FIRST, _LOOK_FIRST
            self._held = max(self._rates) * self._held_s()
            self._held_by_lag = max(self._rates) * _LAG_HELD * self._target_s
            self._follow_lag(window)
            self._resume()

    def _hold(self, window: Window) -> None:
        """Follow the gradient between the delay that was measured and the one that is held."""
        self._follow_lag(window)
        gradient = self._held_s() / max(window.delay_s, 1e-6)
        if gradient < 1.0 or window.refused:
            self._held *= min(max(gradient, _SLOWEST_STEP), _FASTEST_STEP)
        self._held = min(max(self._held, max(self._rates) * _ALLOWED * self._target_s), self._most)
        self._unrefused = 0 if window.refused else self._unrefused + 1
        self._floor_due -= 1
        self._look_due -= 1
        if self._unrefused >= _CALM_WINDOWS:
            self._relax()
        elif self._look_due <= 0:
            self._try("look", self._too_many(), _LOOK_WINDOWS)
        elif self._floor_due <= 0 and window.refused and gradient > 0.5 and self._may_be_slow():
            self._floor_due = _FLOOR_EVERY
            self._try("floor", _LEAST, _FLOOR_WINDOWS)
        else:
            self._resume()

    def _follow_lag(self, window: Window) -> None:
        """Do the same for the lag, where most of the answers were made on the loop; a model in a thread needs batches.

        It does not grow beyond twice the limit, which may be held by the delay.
        """
        if 2 * window.on_loop <= window.answered:
            self._held_by_lag = self._most
            return
        gradient = _LAG_HELD * self._target_s / max(window.mean_lag_s, 1e-6)
        if gradient < 1.0 or window.refused:
            held = self._held_by_lag * min(max(gradient, _SLOWEST_STEP), _FASTEST_BY_LAG)
            self._held_by_lag = min(held, 2.0 * self.limit)
        self._held_by_lag = max(self._held_by_lag, max(self._rates) * _LAG_ALLOWED * self._target_s)

    def _look(self, window: Window) -> None:
        self._windows_left -= 1
        if self._is_too_late(window):
            self._look_every = self._look_due = min(2 * self._look_every, _LOOK_AT_LEAST_EVERY)
            self._resume()
        elif not self._windows_left:
            self._relax()

    def _measure_floor(self) -> None:
        self._windows_left -= 1
        if not self._windows_left:
            self._resume()

    def _is_too_late(self, window: Window) -> bool:
        """Return whether the load meets the limit, holds up the loop, or will take too long by Little's law."""
        is_lagging = window.loop_lag_s > _LATE_BY_LAG * self._target_s and window.in_flight_peak > _FEW
        return window.refused > 0 or is_lagging or window.in_flight_peak > self._too_many()

    def _too_many(self) -> float:
        rate, late_s = max(self._rates), max(_LATE * self._target_s, _FLOORS_LATE * self._floor_s)
        return max(rate * late_s, min(rate * _LATE_OF_FEW * self._target_s, _FEW))

    def _held_s(self) -> float:
        return max(_HELD * self._target_s, _FLOORS_HELD * self._floor_s)

    def _may_be_slow(self) -> bool:
        """Return whether the delay that is held holds few answers, or is what a floor once made it."""
        return max(self._rates) * self._held_s() < _FEW / 2 or self._held_s() > _HELD * self._target_s

    def _try(self, mode: Mode, limit: float, windows: int) -> None:
        self._mode, self._windows_left = mode, windows
        self._set(limit)

    def _resume(self) -> None:
        self._mode = "hold"
        self._set(min(self._held, self._held_by_lag))

    def _relax(self) -> None:
        self._mode, self._late, self._look_every = "calm", 0, _LOOK_FIRST
        self._set(self._most)

    def _set(self, limit: float) -> None:
        self.limit = min(max(int(limit), _LEAST), self._most)
