"""A monitor with evidence, its clock, and traffic of a hundred rows a second."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from monitors.evidence.budget import Budget
from monitors.live.book import Fitted, fitted_of
from monitors.paging import Paging
from monitors.records import Alert, Variant
from monitors.service import MonitorService
from monitors.thresholds import Thresholds
from tests.monitors.material import HandClock, ListSink, MemoryAlertStore, evidence, info, observe, rows, scores

TICK_S = 2.0
THRESHOLDS = Thresholds(
    tick_s=TICK_S, minimum_rows=200, window_ticks=3, clear_ticks=2, silence_s=60.0, minimum_firing_s=10.0
)


@cache
def fitted() -> Fitted:
    """Return what is read from the material's evidence, once for all tests."""
    return fitted_of(info(evidence=evidence()))


class LiveScene:
    """A service whose version has evidence; burn-in is over after five seconds."""

    def __init__(
        self,
        *,
        page_on: str = "profile",
        clock: HandClock | None = None,
        store: MemoryAlertStore | None = None,
        thresholds: Thresholds = THRESHOLDS,
        seed: int = 7,
    ) -> None:
        self.clock = clock or HandClock(1_000.0)
        self.sink, self.store = ListSink(), store or MemoryAlertStore()
        self.rng = np.random.default_rng(seed)
        self.paging = Paging(Budget(), page_on=page_on, burn_in_s=5.0)  # type: ignore[arg-type]  # a word of the two
        self.service = MonitorService(thresholds, self.clock, paging=self.paging, store=self.store, sinks=[self.sink])
        self.service.take_info(info(evidence=evidence()))

    def live(
        self,
        seconds: int,
        *,
        shift: float = 0.0,
        missing: float = 0.0,
        temperature: float = 1.0,
        n: int = 100,
        version: str = "1",
        variant: Variant = "stable",
        revision: int = 1,
    ) -> None:
        """Let seconds with traffic pass: ``shift`` in deviations of age, ``missing`` a share of it."""
        for _ in range(seconds):
            values_nd = rows(self.rng, n)
            values_nd[:, 1] += 10.0 * shift
            values_nd[self.rng.random(n) < missing, 1] = np.nan
            answers_nk = tempered(scores(values_nd), temperature)
            seen = observe(
                values_nd, self.clock.now_s, scores_nk=answers_nk, version=version, variant=variant, revision=revision
            )
            self.service.take(seen)
            self.pass_second()

    def pass_second(self) -> None:
        self.clock.now_s += 1.0
        self.read_models()
        self.service.tick()

    def read_models(self) -> None:
        """Give the service its models, as an owner would, but each only once for all tests."""
        for unread in self.service.unread():
            if unread.info.evidence == evidence() and unread.baseline is None:
                self.service.learn(unread, fitted())

    def alert(self, cause: str) -> Alert:
        return next(alert for alert in self.service.alerts() if alert.cause == cause)

    def pages(self) -> list[str]:
        """Return the cause of each page that somebody was woken by."""
        woken: dict[str, str] = {}
        for alert in self.sink.published:
            if alert.severity == "page":
                woken.setdefault(alert.id, alert.cause)
        return list(woken.values())


def tempered(scores_nk: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return less confident answers."""
    if temperature == 1.0:
        return scores_nk
    weighed = scores_nk ** (1.0 / temperature)
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
