import asyncio
import io
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from gateway.demo.admin import Admin
from gateway.demo.gateway_process import GatewayPlan
from gateway.demo.incident import GUILTY
from gateway.demo.scenario import Phase, PhaseRecord, Scenario
from gateway.demo.traffic import Answer, Traffic
from gateway.demo.verdict import BEGIN, Check
from gateway.demo.view import LiveView, PlainView, print_story, view_for
from tests.demo.fake_gateway import alert


def console_of(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=140, height=60, _environ={})


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def scenario() -> Scenario:
    """Give a scenario in the middle of the incident, with one alert open."""
    client = httpx.AsyncClient(base_url="http://gateway")
    traffic = Traffic(client, iter(()), model="phishing", rate_per_s=1.0)
    scenario = Scenario((Phase(BEGIN, 10.0),), traffic, Admin(client, "phishing"))
    scenario.records.append(PhaseRecord(scenario.phases[0], began_at=100.0))
    scenario.alerts.update([alert("drift")], 103.5)
    traffic.total.add(Answer(101.0, 101.002, "", "stable", "1", 1), rows=3)
    asyncio.run(client.aclose())
    return scenario


@pytest.fixture
def plan(tmp_path: Path) -> GatewayPlan:
    return GatewayPlan(tmp_path, tmp_path / "models", 8080, "phishing=1")


def test_a_log_gets_one_plain_line_a_look(scenario: Scenario, plan: GatewayPlan) -> None:
    console = console_of(terminal=False)
    view = view_for(console, plan)
    assert isinstance(view, PlainView)
    with view:
        view.show(scenario)
        view.show(scenario)
    lines = text_of(console).splitlines()
    assert len(lines) == 2
    assert "page fetcher down: 1 requests" in lines[0]
    assert lines[0].endswith("0 errors, stable 1: 1; page: drift (on stable 1)")


def test_a_terminal_gets_a_picture_with_addresses_and_alerts(scenario: Scenario, plan: GatewayPlan) -> None:
    console = console_of(terminal=True)
    view = view_for(console, plan)
    assert isinstance(view, LiveView)
    with view:
        view.show(scenario)
    picture = text_of(console)
    assert all(words in picture for words in (BEGIN, "1 requests", "/metrics", "admin-token", "drift", *GUILTY))


def test_the_story_tells_when_each_alert_fired_and_what_was_not_kept(scenario: Scenario) -> None:
    console = console_of(terminal=False)
    print_story(console, scenario, [Check("no client sees an error", False, "2 x 503")])
    story = text_of(console)
    assert "3.5 s" in story
    assert "NO" in story
    assert "2 x 503" in story


def test_a_feature_name_is_no_command_to_the_terminal(scenario: Scenario) -> None:
    scenario.alerts.update([{**alert("drift"), "id": "2", "drivers": [{"name": "\x1b[2J[red]"}]}], 104.0)
    console = console_of(terminal=False)
    print_story(console, scenario, [])
    assert "\x1b" not in text_of(console)
    assert r"\x1b[2J[red]" in text_of(console)
