"""The demonstration's incident on a real gateway: silent before it, named while it lasts, resolved after it.

Stable has an accepted baseline; the canary has none, and pages by the table that it was profiled with. Before it the
baseline is accepted and the watch is killed, and while it lasts the watch is killed again. Ticks are a quarter of the
demonstration's; bundles, thresholds and rows are its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.demo.data import load_phishing, sample_instances
from gateway.demo.incident import GUILTY, Transform, fetcher_down, fetcher_stuck, unchanged
from tests.end_to_end.clients import Clients, Instance
from tests.end_to_end.running import RunningGateway

TICK_S = 0.5
SILENT_TICKS = 12
CAUSES = ("data-quality", "drift", "confidence-collapse")
FEATURES = load_phishing().features
INNOCENT = sorted(set(FEATURES) - set(GUILTY))
Alerts = dict[str, dict[str, Any]]
Page = dict[str, list[tuple[dict[str, str], float]]]


@dataclass
class Look:
    """What the operator sees at one moment: the open alerts of stable and canary by cause, and the metrics page."""

    alerts: Alerts
    of_canary: Alerts
    page: Page

    def gauge(self, name: str, **labels: str) -> float:
        """Return the highest value among the series with these labels; NaN, for which nothing holds, without one."""
        series = self.page.get(name, ())
        return max((value for found, value in series if labels.items() <= found.items()), default=float("nan"))

    @property
    def tick_at(self) -> float:
        """When the watch finished its last tick."""
        return self.gauge("weir_monitor_tick_timestamp_seconds")

    def drift(self, feature: str, statistic: str) -> float:
        """Return an effect of stable's traffic."""
        return self.gauge("weir_drift_effect", feature=feature, statistic=statistic, variant="stable", version="1")

    @property
    def collapse(self) -> float:
        """Return stable's collapse index."""
        return self.gauge("weir_confidence_collapse_index", variant="stable", version="1")

    def named(self, cause: str) -> set[str]:
        """Return the features that an alert of stable names."""
        return named_by(self.alerts[cause])


def named_by(alert: dict[str, Any]) -> set[str]:
    """Return the features that an alert names."""
    return {driver["name"] for driver in alert["drivers"]} & set(FEATURES)


@dataclass
class Operator:
    """Looks at a running gateway, again and again."""

    gateway: RunningGateway
    looks: list[Look] = field(default_factory=list)

    def look(self) -> Look:
        """Read alerts and metrics once."""
        told = self.gateway.read("/admin/v1/alerts").json()["alerts"]
        alerts = [alert for alert in told if alert["state"] != "resolved"]
        page: Page = {}
        for family in text_string_to_metric_families(self.gateway.read("/metrics").text):
            for sample in family.samples:
                page.setdefault(sample.name, []).append((sample.labels, sample.value))
        stable, canary = ({a["cause"]: a for a in alerts if a["variant"] == v} for v in ("stable", "canary"))
        self.looks.append(Look(stable, canary, page))
        return self.looks[-1]

    def wait(self, holds: Any, what: str) -> Look:
        """Look until something holds, and return that look."""
        self.gateway.wait_until(lambda: holds(self.look()), what, timeout_s=30.0)
        return self.looks[-1]

    def accept_baseline(self, evidence: str) -> None:
        """Accept what the version was profiled with as its normal traffic, and wait until it holds."""
        version = self.stream()
        body = {"version": "1", "digest": version["digest"], "source": "a table", "rows": 20_000, "evidence": evidence}
        body |= {"factor": 1.0, "predicted": 0.1, "upper": 0.5, "reason": "a test"}
        with self.gateway.client() as client:
            path = "/admin/v1/models/phishing/baseline"
            assert client.put(path, json=body, headers={"if-match": '"0"'}).is_success
        self.gateway.wait_until(lambda: self.evidence()["calibration"] == "baseline", "a baseline that holds")

    def kill_watch(self, least: int) -> list[int]:
        """Kill the watch once it has saved so many summaries; return how many it had, and its successor tells of."""
        self.gateway.wait_until(lambda: self.saved() >= least, "saved evidence")
        (pid,) = self.gateway.children("gateway.watch")
        psutil.Process(pid).kill()
        self.gateway.wait_until(lambda: self.gateway.children("gateway.watch") not in ([pid], []), "another watch")
        saved, told = self.saved(), [0]

        def is_told() -> bool:
            told.append(self.evidence()["summaries"])
            return told[-1] > 0

        self.gateway.wait_until(is_told, "evidence of another watch")
        return [saved, told[-1]]

    def saved(self) -> int:
        """Return how many summaries of evidence are saved beside the state."""
        file = self.gateway.state.with_name(f"{self.gateway.state.name}.evidence.json")
        streams = json.loads(file.read_bytes())["streams"] if file.exists() else []
        return sum(stream["summaries"] for stream in streams)

    def evidence(self) -> dict[str, Any]:
        """Return what the drift report says of stable's evidence."""
        return self.stream()["evidence"] or {"calibration": "", "summaries": 0}

    def stream(self) -> dict[str, Any]:
        """Return what the drift report says of stable, as soon as the watch knows of it."""
        with self.gateway.client() as client:
            answer = client.get("/admin/v1/models/phishing/drift")
        streams = answer.json()["streams"] if answer.status_code == 200 else []
        found: dict[str, Any] = next(
            (stream for stream in streams if stream["variant"] == "stable"), {"evidence": None}
        )
        return found


@dataclass
class Upstream:
    """Real rows, as they arrive from a source that can fail."""

    transform: Transform = unchanged
    statuses: set[int] = field(default_factory=set)

    def requests(self) -> Iterator[list[Instance]]:
        """Give rows without end."""
        for rows in sample_instances(load_phishing().instances(), most=24):
            yield [self.transform(row) for row in rows]

    def answered(self, instances: list[Instance], response: httpx.Response) -> None:
        """See one answer."""
        self.statuses.add(response.status_code)


@dataclass
class Story:
    """What was seen at the end of each phase."""

    normal: list[Look]
    watched: list[int]
    down: Look
    paged: Look
    restored: Look
    stuck: Look
    recovered: Look
    statuses: set[int]
    audit: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    state = tmp_path_factory.mktemp("incident") / "weir.db"
    environ = {
        "WEIR_MONITOR__TICK_S": str(TICK_S),
        "WEIR_MONITOR__PAGE_ON": "profile",
        "WEIR_MONITOR__BURN_IN_S": "1",
        "WEIR_MONITOR__MINIMUM_FIRING_S": "2",
    }
    upstream = Upstream()
    with (
        RunningGateway(demo_models, state, "--stable", "phishing=1", workers=2, environ=environ) as gateway,
        Clients(gateway.url, "phishing", upstream.requests(), upstream.answered, pause_s=0.03),
    ):
        operator = Operator(gateway)
        first = operator.wait(lambda look: "weir_confidence_collapse_index" in look.page, "judged")
        canary = {"version": "2", "weight": 50.0}
        gateway.wait_for_workers("phishing", "2")
        gateway.put_route("phishing", stable="1", canary=canary).raise_for_status()
        operator.accept_baseline((demo_models / "phishing" / "1" / "evidence.json").read_text(encoding="utf-8"))
        watched = operator.kill_watch(1)
        operator.wait(lambda look: look.tick_at >= first.tick_at + SILENT_TICKS * TICK_S, "12 ticks on")
        normal = list(operator.looks)

        upstream.transform = fetcher_down
        down = operator.wait(names_the_guilty, "an alert of every cause that names the guilty")
        paged = operator.wait(is_paged_by_the_table, "a page about the canary")
        watched += operator.kill_watch(watched[1] + 1)
        restored = operator.wait(names_the_guilty, "the same alerts")
        upstream.transform = fetcher_stuck
        stuck = operator.wait(lambda look: is_stuck(look), "stuck values seen")
        upstream.transform = unchanged
        recovered = operator.wait(lambda look: not look.alerts and not look.of_canary, "calm again")

        audit = gateway.read("/admin/v1/audit", limit=1000).json()["records"]
        yield Story(normal, watched, down, paged, restored, stuck, recovered, upstream.statuses, audit)


def names_the_guilty(look: Look) -> bool:
    """Return whether every cause fires and names exactly the guilty features."""
    return all(
        cause in look.alerts and look.alerts[cause]["state"] == "firing" and look.named(cause) == set(GUILTY)
        for cause in CAUSES
    )


def is_paged_by_the_table(look: Look) -> bool:
    """Return whether the confidence of the canary collapses so surely that it wakes somebody."""
    alert = look.of_canary.get("confidence-collapse", {"severity": ""})
    return alert["severity"] == "page" and named_by(alert) == set(GUILTY)


def is_stuck(look: Look) -> bool:
    """Return whether the last window holds constant values only: nothing is missing, and the features still differ."""
    return all(look.drift(feature, "missing") < 0.01 and look.drift(feature, "wasserstein") > 0.2 for feature in GUILTY)


def test_nobody_is_told_anything_before_the_incident(story: Story) -> None:
    assert [(look.alerts, look.of_canary) for look in story.normal if look.alerts or look.of_canary] == []
    assert max(value for look in story.normal for _, value in look.page.get("weir_alert_state", ())) == 0
    assert story.normal[-1].collapse < 0.1


def test_every_cause_fires_and_names_the_guilty_features(story: Story) -> None:
    for cause in CAUSES:
        alert = story.down.alerts[cause]
        assert (alert["model"], alert["version"], alert["variant"]) == ("phishing", "1", "stable")
        assert alert["effect"] > alert["threshold"]
        assert alert["calibration"] in ("baseline", "rule")
        assert alert["evidence"] is None if alert["calibration"] == "rule" else alert["evidence"] > 5.0
        assert story.down.named(cause) == set(GUILTY)
        assert all(feature in alert["summary"] for feature in GUILTY)
        labels = {"model": "phishing", "version": "1", "cause": cause, "severity": alert["severity"]}
        assert story.down.gauge("weir_alert_state", **labels) == 3


def test_a_version_without_a_baseline_pages_by_its_table_and_says_what_that_assumes(story: Story) -> None:
    alert = story.paged.of_canary["confidence-collapse"]
    assert (alert["version"], alert["calibration"]) == ("2", "profile")
    assert "weir profile" in alert["assumes"]
    assert alert["evidence"] > 5.0


def test_a_killed_watch_goes_on_where_it_stood_and_loses_no_incident(story: Story) -> None:
    saved_first, told_first, saved, told = story.watched
    assert told_first >= saved_first
    assert told >= saved > told_first
    for cause in CAUSES:
        kept = ("id", "since", "severity", "calibration")
        assert [story.restored.alerts[cause][name] for name in kept] == [
            story.down.alerts[cause][name] for name in kept
        ]
        opened = {
            r["resource"]
            for r in story.audit
            if r["action"] != "alert.resolved" and (r["after"] or {}).get("cause") == cause
        }
        assert opened == {f"alert/{story.down.alerts[cause]['id']}"}


def test_the_metrics_show_what_is_missing_and_what_is_not(story: Story) -> None:
    assert min(story.down.drift(feature, "missing") for feature in GUILTY) > 0.1
    assert max(story.down.drift(feature, "missing") for feature in INNOCENT) == 0
    assert story.down.collapse > 0.3


def test_constant_values_keep_drift_open_for_the_same_features(story: Story) -> None:
    assert story.stuck.named("drift") == set(GUILTY)
    assert max(story.stuck.drift(feature, "wasserstein") for feature in INNOCENT) < 0.1


def test_everything_resolves_and_no_client_saw_an_error(story: Story) -> None:
    assert max(value for _, value in story.recovered.page["weir_alert_state"]) == 0
    assert story.recovered.collapse < 0.1
    assert story.statuses == {200}


def test_the_audit_log_holds_every_transition(story: Story) -> None:
    for cause in CAUSES:
        records = [r for r in story.audit if r["resource"].startswith("alert/") and r["after"]["cause"] == cause]
        actions = [record["action"] for record in records]
        assert actions[0] in ("alert.warn", "alert.firing")
        assert "alert.firing" in actions
        assert actions[-1] == "alert.resolved"
        assert {record["actor"]["subject"] for record in records} == {"watch"}
