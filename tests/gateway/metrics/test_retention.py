"""Which versions the metrics page still shows."""

from __future__ import annotations

from gateway.metrics.derived import versions_in_use
from gateway.metrics.retention import Retention
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.types import VersionStatus, WorkerFacts
from tests.serving import HandClock

OLD, NEW = {"model": "m", "version": "1"}, {"model": "m", "version": "2", "variant": "canary"}


def test_an_unloaded_version_stays_for_ten_minutes_and_goes() -> None:
    clock = HandClock()
    retention = Retention(clock)
    retention.note([("m", "1"), ("m", "2")])
    assert retention.keeps(OLD)
    clock.now_s += 600
    retention.note([("m", "2")])
    assert retention.keeps(OLD)
    clock.now_s += 1
    retention.note([("m", "2")])
    assert not retention.keeps(OLD)
    assert retention.keeps(NEW)


def test_a_version_that_comes_back_is_shown_again() -> None:
    clock = HandClock()
    retention = Retention(clock)
    retention.note([("m", "1")])
    clock.now_s += 3_600
    retention.note([])
    assert not retention.keeps(OLD)
    retention.note([("m", "1")])
    assert retention.keeps(OLD)


def test_a_version_that_was_unloaded_before_the_watch_began_has_its_ten_minutes_too() -> None:
    clock = HandClock()
    retention = Retention(clock)
    assert retention.keeps(OLD)
    clock.now_s += 601
    retention.note([])
    assert not retention.keeps(OLD)


def test_nothing_is_left_out_while_nobody_knows_what_is_loaded() -> None:
    clock = HandClock()
    retention = Retention(clock)
    retention.note([("m", "1")])
    clock.now_s += 86_400
    assert retention.keeps(OLD)


def test_what_speaks_of_no_version_of_a_model_is_always_kept() -> None:
    clock = HandClock()
    retention = Retention(clock)
    clock.now_s += 86_400
    retention.note([])
    assert retention.keeps({"version": "0.1", "python": "3.11"})
    assert retention.keeps({"model": "m"})


def test_a_version_is_in_use_where_a_route_names_it_or_a_process_has_it() -> None:
    route = RouteDocument("m", 1, "2", "salt", canary=CanaryRoute("3", 500))
    facts = WorkerFacts("w", 1, 0.0, versions={"m": {"1": VersionStatus("failed")}})
    assert versions_in_use([route], [facts]) == {("m", "1"), ("m", "2"), ("m", "3")}
