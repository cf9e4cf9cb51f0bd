"""The README's tour, command by command, against a gateway with the demonstration's models and some traffic."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.demo.data import load_phishing, sample_instances
from tests.end_to_end.clients import Clients, Instance
from tests.end_to_end.console import Step, alike, read_steps, run_steps, stable_parts
from tests.end_to_end.running import TOKEN, RunningGateway

CALLERS = "for user in"
"""Begins the command that shows who gets which version, which the route's random salt decides."""

METRICS = "curl -s localhost:8080/metrics"
UNTIL_ALL_HAVE_THE_ROUTE = f"until {METRICS} | grep -q '^weir_route_apply_delay_seconds_count 2.0'; do sleep 0.05; done"
"""Runs before the callers: a worker applies a new route within half a second, and the shell is faster."""

SEEN = METRICS + " | grep -q 'weir_monitor_rows_total{.*variant=\"%s\"'"
UNTIL_ALL_ARE_SEEN = "\n".join(f"until {SEEN % variant}; do sleep 0.05; done" for variant in ("canary", "shadow"))
"""Runs before the drift report is read: the watch hears of an answer a moment after the client."""


WITHOUT_WHAT_CAME_SINCE = "grep -v 'came since'"
"""Runs after it: whether the canary has rows that wait for a judgement is a matter of when one looks."""


@pytest.fixture(scope="module")
def steps(repo_root: Path) -> list[Step]:
    return read_steps((repo_root / "README.md").read_text(encoding="utf-8"), "tour with curl")


@pytest.fixture(scope="module")
def checkout(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that looks like a checkout in which the demonstration runs."""
    checkout = tmp_path_factory.mktemp("checkout")
    demo = checkout / ".weir" / "demo"
    demo.mkdir(parents=True)
    (demo / "models").symlink_to(demo_models)
    (demo / "admin-token").write_text(TOKEN + "\n", encoding="ascii")
    (checkout / ".venv").symlink_to(sys.prefix)
    return checkout


@pytest.fixture(scope="module")
def gateway(checkout: Path, demo_models: Path) -> Iterator[RunningGateway]:
    state = checkout / ".weir" / "demo" / "weir.db"
    environ = {"WEIR_MONITOR__TICK_S": "0.5"}
    with RunningGateway(demo_models, state, "--stable", "phishing=1", workers=2, environ=environ) as running:
        running.wait_for_workers("phishing", "2")
        yield running


@pytest.fixture(scope="module")
def printed(steps: list[Step], gateway: RunningGateway, checkout: Path) -> list[str]:
    """Run the whole tour and give what each command printed; the callers' command twice, one output after the other."""
    requests = sample_instances(load_phishing().instances(), most=16)
    commands = [replace(step, command=prepared(step.command, gateway.port)) for step in steps]
    environ = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "WEIR_URL": gateway.url}
    with (
        Clients(gateway.url, "phishing", requests, succeeded),
        gateway.client() as client,
    ):
        gateway.wait_until(lambda: "weir_confidence_collapse_index{" in client.get("/metrics").text, "judged")
        return run_steps(commands, checkout, environ)


def succeeded(_: list[Instance], response: httpx.Response) -> None:
    """Refuse an answer that is an error."""
    response.raise_for_status()


def prepared(command: str, port: int) -> str:
    """Return the command as it runs here."""
    if command.startswith(CALLERS):
        command = f"{UNTIL_ALL_HAVE_THE_ROUTE}\n{command}\n{command}"
    if "weir drift" in command:
        command = f"{UNTIL_ALL_ARE_SEEN}\n{command} | {WITHOUT_WHAT_CAME_SINCE}"
    return command.replace("localhost:8080", f"127.0.0.1:{port}")


def test_every_command_prints_what_the_readme_shows(steps: list[Step], printed: list[str]) -> None:
    pairs = [pair for pair in zip(steps, printed, strict=True) if not pair[0].command.startswith(CALLERS)]
    assert len(pairs) > 10
    wrong = [told(step, text) for step, text in pairs if not alike(step.shown, text)]
    assert not wrong, "\n\n".join(wrong)


def test_callers_stay_with_their_version(steps: list[Step], printed: list[str]) -> None:
    ((step, text),) = [pair for pair in zip(steps, printed, strict=True) if pair[0].command.startswith(CALLERS)]
    lines = text.splitlines()
    once = len(lines) // 2
    assert lines[:once] == lines[once:]
    assert once == len(step.shown.splitlines())
    assert set(lines) <= set(step.shown.splitlines())


def told(step: Step, printed: str) -> str:
    """Return what differs between the README and what a command prints."""
    shown, found = stable_parts(step.shown).splitlines(), stable_parts(printed).splitlines()
    lines = difflib.unified_diff(shown, found, "README.md", "printed", lineterm="")
    return "\n".join([f"README.md:{step.line}: $ {step.command}", *lines])
