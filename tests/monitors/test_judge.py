"""Silence of models that are to have traffic: it pages by rule, others only warn."""

import numpy as np

from monitors.paging import Paging
from monitors.records import Alert, ModelRoute
from monitors.service import MonitorService
from monitors.thresholds import Thresholds
from tests.monitors.material import HandClock, MemoryAlertStore, info, observe, rows

TICK_S = 2.0
THRESHOLDS = Thresholds(tick_s=TICK_S, minimum_rows=200, clear_ticks=2, silence_s=60.0, minimum_firing_s=10.0)


class Expected:
    """A watch whose operators say that the model always has traffic."""

    def __init__(self, clock: HandClock, store: MemoryAlertStore, **no_traffic_s: float) -> None:
        self.clock = clock
        paging = Paging(no_traffic_s=no_traffic_s)
        self.service = MonitorService(THRESHOLDS, clock, paging=paging, store=store)

    def pass_s(self, seconds: float, *, n: int = 0, version: str = "1") -> None:
        """Let ticks pass, each with so many rows."""
        for _ in range(round(seconds / TICK_S)):
            if n:
                self.service.take(observe(rows(np.random.default_rng(1), n), self.clock.now_s, version=version))
            self.clock.now_s += TICK_S
            self.service.tick()

    def silence(self) -> Alert | None:
        """Return the alert about silence that is open."""
        found = [a for a in self.service.alerts() if a.cause == "no-data" and a.state != "resolved"]
        return found[0] if found else None


def test_silence_pages_by_rule_after_the_time_of_the_model_and_ends_with_traffic() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    watch.service.take_info(info())
    watch.pass_s(4.0, n=50)
    watch.pass_s(18.0)
    assert watch.silence() is None
    watch.pass_s(6.0)
    told = watch.silence()
    assert told is not None
    assert (told.severity, told.state, told.calibration) == ("page", "firing", "rule")
    assert told.threshold == 20.0
    watch.pass_s(20.0, n=50)
    assert watch.silence() is None


def test_silence_of_a_model_that_nobody_expects_only_warns() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), other=20.0)
    watch.service.take_info(info())
    watch.pass_s(4.0, n=50)
    watch.pass_s(200.0)
    told = watch.silence()
    assert told is not None
    assert told.severity == "warning"


def test_a_model_that_never_had_a_row_pages_once_the_time_is_over_since_it_was_loaded() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    watch.pass_s(100.0)
    assert watch.silence() is None  # nobody has loaded it
    watch.service.take_info(info("3"))
    watch.pass_s(20.0)
    assert watch.silence() is None
    watch.pass_s(4.0)
    told = watch.silence()
    assert told is not None
    assert (told.version, told.severity) == ("3", "page")
    assert "expected since" in told.summary
    watch.pass_s(20.0, n=50, version="3")
    assert watch.silence() is None


def test_a_restart_of_the_watch_amid_the_silence_neither_ends_nor_repeats_the_page() -> None:
    clock, store = HandClock(), MemoryAlertStore()
    watch = Expected(clock, store, phishing=20.0)
    watch.service.take_info(info())
    watch.pass_s(4.0, n=50)
    watch.pass_s(40.0)
    before = watch.silence()
    assert before is not None
    again = Expected(clock, store, phishing=20.0)
    for version in ("1", "2"):
        again.service.take_info(info(version))
    again.pass_s(200.0)
    told = again.silence()
    assert told is not None
    assert (told.id, told.version, told.severity) == (before.id, "1", "page")
    again.pass_s(20.0, n=50, version="2")
    assert again.silence() is None


def test_a_page_for_traffic_that_never_came_names_stable_whatever_was_announced_last() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    for version in ("1", "2"):
        watch.service.take_info(info(version))
    watch.service.take_routes([ModelRoute("phishing", "1")])
    watch.pass_s(30.0)
    told = watch.silence()
    assert told is not None
    assert (told.version, told.severity) == ("1", "page")


def test_no_traffic_is_missing_while_a_model_is_stopped_and_its_time_begins_anew_when_it_is_resumed() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    watch.service.take_info(info())
    watch.pass_s(4.0, n=50)
    watch.service.take_routes([ModelRoute("phishing", "1", is_stopped=True)])
    watch.pass_s(200.0)
    assert watch.silence() is None
    watch.service.take_routes([ModelRoute("phishing", "1", resumed_at=watch.clock.now_s)])
    watch.pass_s(18.0)
    assert watch.silence() is None
    watch.pass_s(6.0)
    told = watch.silence()
    assert told is not None
    assert told.severity == "page"
    assert "expected since" in told.summary


def test_a_stop_ends_the_page_for_missing_traffic_and_says_why() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    watch.service.take_info(info())
    watch.pass_s(30.0)
    assert watch.silence() is not None
    watch.service.take_routes([ModelRoute("phishing", "1", is_stopped=True)])
    watch.pass_s(100.0)
    assert watch.silence() is None
    assert [alert.summary.endswith("(an operator has stopped the model)") for alert in watch.service.alerts()] == [True]


def test_a_watch_that_starts_while_a_model_is_stopped_expects_nothing_of_it() -> None:
    watch = Expected(HandClock(), MemoryAlertStore(), phishing=20.0)
    watch.service.take_info(info())
    watch.service.take_routes([ModelRoute("phishing", "1", is_stopped=True)])
    watch.pass_s(100.0)
    watch.service.take_routes([ModelRoute("phishing", "1", resumed_at=watch.clock.now_s)])
    watch.pass_s(18.0)
    assert watch.service.alerts() == []
