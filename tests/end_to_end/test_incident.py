"""The demonstration's incident on a real gateway: silent before it, named while it lasts, resolved after it.

Before it a baseline is accepted and the watch is killed, and while it lasts the watch is killed again. Then it comes
back to a canary that has no baseline, only the table that it was profiled with. Ticks are a quarter of the
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
    """What the operator sees at one moment: the open alerts by cause, and the metrics page."""

    alerts: Alerts
    page: Page

    def gauge(self, name: str, **labels: str) -> float:
        """Return the highest value among the series with these labels."""
        return max(value for found, value in self.page[name] if labels.items() <= found.items())

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
        """Return the features that an alert names."""
        return {driver["name"] for driver in self.alerts[cause]["drivers"]} & set(FEATURES)


@dataclass
class Operator:
    """Looks at a running gateway, again and again."""

    gateway: RunningGateway
    looks: list[Look] = field(default_factory=list)

    def look(self) -> Look:
        """Read alerts and metrics once."""
        alerts = self.gateway.read("/admin/v1/alerts").json()["alerts"]
        page: Page = {}
        for family in text_string_to_metric_families(self.gateway.read("/metrics").text):
            for sample in family.samples:
                page.setdefault(sample.name, []).append((sample.labels, sample.value))
        self.looks.append(Look({alert["cause"]: alert for alert in alerts if alert["state"] != "resolved"}, page))
        return self.looks[-1]

    def wait(self, holds: Any, what: str) -> Look:
        """Look until something holds, and return that look."""
        self.gateway.wait_until(lambda: holds(self.look()), what, timeout_s=30.0)
        return self.looks[-1]

    def wait_for_page(self, version: str) -> dict[str, Any]:
        """Return the first page by evidence about a version."""
        found: list[dict[str, Any]] = []

        def is_paged() -> bool:
            alerts = self.gateway.read("/admin/v1/alerts").json()["alerts"]
            found[:] = [one for one in alerts if (one["version"], one["severity"]) == (version, "page")]
            found[:] = [one for one in found if one["calibration"] != "rule"]
            return bool(found)

        self.gateway.wait_until(is_paged, f"a page about version {version}")
        return found[0]

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
    restored: Look
    told: list[dict[str, Any]]
    stuck: Look
    recovered: Look
    paged: dict[str, Any]
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
        first = operator.wait(is_judged, "judged")
        operator.accept_baseline((demo_models / "phishing" / "1" / "evidence.json").read_text(encoding="utf-8"))
        watched = operator.kill_watch(1)
        later_s = first.tick_at + SILENT_TICKS * TICK_S
        operator.wait(lambda look: is_judged(look) and look.tick_at >= later_s, "12 ticks on, judged anew")
        normal = list(operator.looks)

        upstream.transform = fetcher_down
        down = operator.wait(names_the_guilty, "an alert of every cause that names the guilty")
        watched += operator.kill_watch(watched[1] + 1)
        restored = operator.wait(names_the_guilty, "the same alerts")
        told = gateway.read("/admin/v1/audit", limit=1000).json()["records"]
        upstream.transform = fetcher_stuck
        stuck = operator.wait(lambda look: is_stuck(look), "stuck values seen")
        upstream.transform = unchanged
        recovered = operator.wait(lambda look: not look.alerts, "calm again")

        audit = gateway.read("/admin/v1/audit", limit=1000).json()["records"]
        upstream.transform = fetcher_down
        gateway.wait_for_workers("phishing", "2")
        gateway.put_route("phishing", stable="1", canary={"version": "2", "weight": 100.0}).raise_for_status()
        paged = operator.wait_for_page("2")
        yield Story(normal, watched, down, restored, told, stuck, recovered, paged, upstream.statuses, audit)


def is_judged(look: Look) -> bool:
    """Return whether the watch has judged a window; one that is new has not."""
    return "weir_confidence_collapse_index" in look.page


def names_the_guilty(look: Look) -> bool:
    """Return whether every cause fires and names exactly the guilty features."""
    return all(
        cause in look.alerts and look.alerts[cause]["state"] == "firing" and look.named(cause) == set(GUILTY)
        for cause in CAUSES
    )


def is_stuck(look: Look) -> bool:
    """Return whether the last window holds constant values only: nothing is missing, and the features still differ."""
    if "weir_drift_effect" not in look.page:  # the watch was killed, and has not judged since
        return False
    return all(look.drift(feature, "missing") < 0.01 and look.drift(feature, "wasserstein") > 0.2 for feature in GUILTY)


def test_nobody_is_told_anything_before_the_incident(story: Story) -> None:
    assert [look.alerts for look in story.normal if look.alerts] == []
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
            for r in story.told
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


def test_a_version_without_a_baseline_pages_by_its_table_and_says_what_that_assumes(story: Story) -> None:
    assert (story.paged["variant"], story.paged["calibration"]) == ("canary", "profile")
    assert "weir profile" in story.paged["assumes"]
    assert story.paged["evidence"] >= story.paged["evidence_threshold"]
    assert {driver["name"] for driver in story.paged["drivers"]} & set(GUILTY)


def test_the_audit_log_holds_every_transition(story: Story) -> None:
    for cause in CAUSES:
        records = [r for r in story.audit if r["resource"].startswith("alert/") and r["after"]["cause"] == cause]
        actions = [record["action"] for record in records]
        assert actions[0] in ("alert.warn", "alert.firing")
        assert "alert.firing" in actions
        assert actions[-1] == "alert.resolved"
        assert {record["actor"]["subject"] for record in records} == {"watch"}
