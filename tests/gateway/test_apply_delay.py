from pathlib import Path

import pytest

from gateway.apply_delay import ApplyDelay
from gateway.metrics.shared import Series, SharedCounters, read_counters
from gateway.routing.document import RouteDocument
from gateway.state.ledger import rfc3339

NOW_S = 1_800_000_000.0


class StoppedClock:
    def unix_s(self) -> float:
        return NOW_S

    def monotonic_s(self) -> float:
        return 0.0


def route(revision: int, *, age_s: float) -> dict[str, RouteDocument]:
    return {"m": RouteDocument("m", revision, stable="1", salt="", updated_at=rfc3339(NOW_S - age_s))}


@pytest.fixture
def delay(tmp_path: Path) -> ApplyDelay:
    return ApplyDelay(SharedCounters.create(tmp_path, "w", role="worker"), StoppedClock())


def observed(directory: Path) -> Series:
    (series,) = [found for found in read_counters(directory) if found.name == "weir_route_apply_delay_seconds"]
    return series


def test_the_histogram_is_there_before_the_first_change(delay: ApplyDelay, tmp_path: Path) -> None:
    assert observed(tmp_path).value == 0


def test_a_newer_revision_is_timed_from_its_change(delay: ApplyDelay, tmp_path: Path) -> None:
    delay.note(route(1, age_s=500.0), {"m": 1})
    delay.note(route(2, age_s=0.25), {"m": 2})
    delay.note(route(2, age_s=0.25), {"m": 2})
    assert observed(tmp_path).value == 1
    assert observed(tmp_path).sum == pytest.approx(0.25)


def test_a_revision_that_is_not_in_force_yet_is_not_timed(delay: ApplyDelay, tmp_path: Path) -> None:
    delay.note(route(1, age_s=500.0), {"m": 1})
    delay.note(route(2, age_s=0.1), {"m": 1})
    assert observed(tmp_path).value == 0
    delay.note(route(2, age_s=3.0), {"m": 2})
    assert observed(tmp_path).sum == pytest.approx(3.0)


def test_a_clock_that_is_behind_the_writer_s_gives_zero(delay: ApplyDelay, tmp_path: Path) -> None:
    delay.note(route(1, age_s=0.0), {"m": 1})
    delay.note(route(2, age_s=-5.0), {"m": 2})
    assert (observed(tmp_path).value, observed(tmp_path).sum) == (1, 0.0)
