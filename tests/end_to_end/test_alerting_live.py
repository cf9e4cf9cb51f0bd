"""One incident from a running gateway over Prometheus and Alertmanager to a webhook, and back to resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gateway.demo.data import load_phishing, sample_instances
from tests.end_to_end.running import RunningGateway
from tests.integration.alertmanager import AlertmanagerServer, hastened, receiving
from tests.integration.prometheus import PrometheusServer

BROKEN = "4"


def hastened_rules(source: Path, target: Path) -> Path:
    """Copy rules, so that alerts begin and end with what they tell of."""
    document: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    for rule in (rule for group in document["groups"] for rule in group["rules"] if "alert" in rule):
        rule |= {"for": "0s", "keep_firing_for": "1s"}
    target.write_text(yaml.safe_dump(document), encoding="utf-8")
    return target


def test_a_broken_canary_reaches_the_webhook_and_is_resolved_by_the_rollback(
    demo_models: Path, repo_root: Path, tmp_path: Path
) -> None:
    rules = hastened_rules(repo_root / "deploy/prometheus/rules/alerts.yml", tmp_path / "alerts.yml")
    for name in ("alertmanager", "prometheus"):
        (tmp_path / name).mkdir()
    with (
        receiving() as notifications,
        RunningGateway(demo_models, tmp_path / "weir.db", "--stable", "phishing=1", workers=1) as gateway,
        AlertmanagerServer(
            tmp_path / "alertmanager",
            hastened(repo_root / "deploy/alertmanager/alertmanager.yml", notifications.url),
        ) as alertmanager,
        PrometheusServer(
            tmp_path / "prometheus",
            [gateway.url.removeprefix("http://")],
            [rules],
            alertmanagers=[alertmanager.address],
            interval_s=0.5,
        ),
        gateway.client() as client,
    ):
        gateway.wait_for_workers("phishing", BROKEN)
        canary = {"version": BROKEN, "weight": 100.0}
        assert gateway.put_route("phishing", stable="1", canary=canary, shadow=[]).status_code == 200
        requests = sample_instances(load_phishing().instances())

        def tripped() -> bool:
            answer = client.post("/predict/phishing", json={"instances": next(requests)})
            assert answer.status_code == 200, answer.text
            return "WeirCanaryTripped 4" in alertmanager.states()

        gateway.wait_until(tripped, "an alert at Alertmanager", 20.0)
        firing = notifications.wait_for("/tickets", "WeirCanaryTripped", "firing")
        assert firing["labels"] == {
            "alertname": "WeirCanaryTripped",
            "model": "phishing",
            "severity": "ticket",
            "version": BROKEN,
        }
        assert (repo_root / firing["annotations"]["runbook_url"]).is_file()

        client.post("/admin/v1/models/phishing/rollback", json={"reason": "it raises"}).raise_for_status()
        resolved = notifications.wait_for("/tickets", "WeirCanaryTripped", "resolved")
        assert resolved["fingerprint"] == firing["fingerprint"]
        assert resolved["endsAt"] > firing["startsAt"]
