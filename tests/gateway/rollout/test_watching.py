"""What the watch does for rollouts: facts from counters and alerts, and what it does without the store."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.metrics.totals import Series
from gateway.rollout.driver import Seen, Steering
from gateway.rollout.watching import RolloutWatch
from monitors.records import Alert, Verdict
from monitors.trials.book import TrialBook
from tests.gateway.rollout.material import verdict
from tests.gateway.rollout.test_driver import Ground
from tests.monitors.trials.material import answers


class Recording:
    """The real driver, with what it was told kept; or a store that is away."""

    def __init__(self, ground: Ground) -> None:
        self._driver, self.seen, self.is_away = ground.driver, dict[str, Seen](), False
        self.verdict: Verdict | None = None
        self.breaks = False

    def tick(self, seen: Mapping[str, Seen]) -> Steering:
        self.seen = dict(seen)
        if self.is_away:
            raise StoreUnavailable("gone")
        return self._driver.tick({model: self._told(one) for model, one in seen.items()})

    def _told(self, seen: Seen) -> Seen:
        if self.breaks:
            return replace(seen, stale_s="long")  # type: ignore[arg-type]  # what fails
        if self.verdict is None or seen.findings is None:
            return seen
        return replace(seen, findings=replace(seen.findings, verdicts=(self.verdict,)))


class Scene:
    """A rollout in its first step, a watch over it, and counters and alerts to be set by hand."""

    def __init__(self, ground: Ground) -> None:
        ground.to_first_step()
        self.ground, self.driver, self.book = ground, Recording(ground), TrialBook()
        self.series: list[Series] = []
        self.alerts: list[Alert] = []
        self.watch = RolloutWatch(
            self.driver,  # type: ignore[arg-type]  # it has the one method that is called
            self.book,
            ground.clock,
            read_series=lambda: self.series,
            alerts=lambda: self.alerts,
        )
        self.tick()

    def tick(self, seconds: float = 1.0) -> Seen:
        self.ground.clock.pass_s(seconds)
        asyncio.run(self.watch.tick())
        return self.driver.seen.get("fraud", Seen())

    def count(self, name: str, value: float, **labels: str) -> None:
        self.series.append(Series(name, {"model": "fraud", **labels}, "counter", value))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ground = Ground(tmp_path / "weir.db")
    yield Scene(ground)
    ground.store.close()


def test_findings_reach_the_driver_and_the_page(scene: Scene) -> None:
    found = scene.tick().findings
    assert found is not None
    assert [verdict.gate for verdict in found.verdicts] == ["split", "errors", "latency", "predictions"]
    view = scene.watch.view("fraud")
    assert view["is_led_here"]
    assert [verdict["gate"] for verdict in view["verdicts"]] == ["split", "errors", "latency", "predictions"]
    assert any(hindrance.startswith("errors: ") for hindrance in view["hindrances"])
    assert scene.watch.view("other") == {
        "is_led_here": False, "stage_s": 0.0, "held_s": 0.0, "hindrances": [], "verdicts": [],
    }  # fmt: skip


def test_tripped_workers_and_a_page_about_stable_reach_the_driver(scene: Scene) -> None:
    scene.count("weir_canary_tripped", 2.0, version="2")
    scene.count("weir_canary_tripped", 5.0, version="9")
    page: dict[str, Any] = {"severity": "page", "state": "firing", "effect": 1.0, "threshold": 0.1}
    scene.alerts = [
        Alert("a", "fraud", "1", "stable", "drift", since=0.0, updated_at=0.0, summary="it moved", **page),
        Alert("b", "fraud", "2", "canary", "drift", since=0.0, updated_at=0.0, summary="not this", **page),
    ]
    seen = scene.tick()
    assert (seen.tripped, seen.incident) == (2, "drift, it moved")
    assert scene.ground.rollout.state == "holding"


def test_answers_without_evidence_are_stale_and_quiet_is_not(scene: Scene) -> None:
    for _ in range(3):
        assert scene.tick(15.0).stale_s == 0.0
    for n in range(1, 4):
        scene.series = []
        scene.count("weir_requests_total", 10.0 * n, version="1", variant="stable", outcome="ok")
        stale_s = scene.tick(15.0).stale_s
    assert stale_s == 30.0
    scene.watch.receive(answers("1", ["a"], revision=99))
    assert scene.tick().stale_s == 0.0


def test_without_the_store_the_rollout_stands_still_and_goes_on_afterwards(scene: Scene) -> None:
    scene.driver.is_away = True
    scene.tick(60.0)
    scene.tick(60.0)
    assert scene.watch.steering.specs
    scene.driver.is_away = False
    scene.tick()
    assert scene.ground.rollout.state in ("canary", "holding")


def gauges(scene: Scene, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(labels.values()): value for found, labels, value in scene.watch.gauges() if found == name}


def test_the_page_says_who_leads_what_is_frozen_and_what_was_taken_back(scene: Scene) -> None:
    scene.tick()
    assert gauges(scene, "weir_leader") == {(): 1.0}
    assert gauges(scene, "weir_rollouts_frozen") == {(): 0.0}
    assert set(gauges(scene, "weir_rollout_aborts_total").values()) == {0.0}
    assert ("fraud", "2", "errors") in gauges(scene, "weir_rollout_gate")
    scene.driver.is_away = True
    scene.tick()
    assert gauges(scene, "weir_rollouts_frozen") == {(): 1.0}
    scene.driver.is_away = False
    scene.driver.verdict = verdict("errors", "abort")
    scene.tick()
    assert gauges(scene, "weir_rollouts_frozen") == {(): 0.0}
    taken_back = gauges(scene, "weir_rollout_aborts_total")
    assert [name for name, count in taken_back.items() if count] == [("fraud", "errors")]


def test_a_rollout_whose_evidence_fails_says_so_and_is_held_while_the_watch_goes_on(scene: Scene) -> None:
    torn = answers("2", ["a", "b"], revision=99)
    scene.watch.receive(replace(torn, key_hashes_n=torn.key_hashes_n[:0]))
    found = scene.tick().findings
    assert found is not None
    assert found.fault
    assert any(hindrance.startswith("its evidence fails") for hindrance in scene.watch.view("fraud")["hindrances"])
    for _ in range(20):
        if scene.ground.rollout.state == "canary":
            scene.tick(60.0)
    assert scene.ground.rollout.state == "holding"
    assert found.fault in scene.ground.rollout.cause
    counted = gauges(scene, "weir_rollout_failures_total")
    assert counted == {("fraud", "evidence"): 1.0, ("fraud", "steering"): 0.0}


def test_a_steering_that_fails_is_counted_once_a_stage(scene: Scene) -> None:
    scene.tick()
    assert set(gauges(scene, "weir_rollout_failures_total").values()) == {0.0}
    scene.driver.breaks = True
    for _ in range(3):
        scene.tick()
    assert gauges(scene, "weir_rollout_failures_total") == {("fraud", "evidence"): 0.0, ("fraud", "steering"): 1.0}
