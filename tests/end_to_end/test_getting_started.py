"""The page for newcomers, command by command: an alert from broken input to console, Prometheus and Alertmanager.

Also the one test in which an incident of a real gateway reaches a webhook by way of real rules, and is resolved there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from gateway.demo.incident import GUILTY
from tests.end_to_end.browser import Browser
from tests.end_to_end.console import stable_parts
from tests.end_to_end.running import free_port
from tests.integration.alertmanager import Notifications, hastened, receiving

PAGE = "docs/getting-started.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.*)\n", re.MULTILINE)
PORTS = ("8080", "9090", "9093")
PATIENCE_S = 60.0
POLL_S = 0.25
MODEL = "#/models/phishing"
HASTE = {"TICK_S": "0.5", "MINIMUM_FIRING_S": "1", "MINIMUM_ROWS": "50", "CLEAR_TICKS": "1"}


@dataclass(frozen=True, slots=True)
class Step:
    """One block of commands, and what the page shows below it; empty where it shows nothing."""

    command: str
    shown: str


def sections_of(markdown: str) -> dict[str, list[Step]]:
    """Return the steps of each section of the page."""
    _, *parts = SECTION.split(markdown)
    return {title: steps_of(text) for title, text in zip(parts[::2], parts[1::2], strict=True)}


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    for language, block in BLOCK.findall(text):
        if language == "sh":
            steps.append(Step(block, ""))
        else:
            assert steps, "something is shown that no command prints"
            steps[-1] = Step(steps[-1].command, block)
    return steps


def shows(shown: str, printed: str) -> bool:
    """Return whether lines printed are those shown, but for ids, times, space at the end, and what dots stand for.

    >>> shows("a\\n...\\nd ... f\\n", "a \\nb\\nc\\nd e f"), shows("a\\n", "a\\nb")
    (True, False)
    """
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"\n"
        for line in stable_parts(shown).splitlines()
    )
    return re.fullmatch(pattern, stable_parts(printed) + "\n") is not None


class Terminal:
    """One bash for the whole page, in a folder that looks like a checkout, with other ports."""

    def __init__(self, folder: Path, ports: dict[str, str]) -> None:
        self._folder, self._ports = folder, ports
        self._block, self._printed = folder / "block.sh", folder / "printed"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        environ |= {f"WEIR_MONITOR__{name}": value for name, value in HASTE.items()}
        environ |= {"WEIR_URL": f"http://127.0.0.1:{ports['8080']}", "NO_COLOR": "1", "COLUMNS": "80"}
        self._bash = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environ, process_group=0
        )

    def run(self, command: str) -> tuple[int, str]:
        """Return the exit status of a block of commands and what it prints."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        for here, there in self._ports.items():
            command = re.sub(rf"\b{here}\b", there, command)
        self._block.write_text(command, encoding="utf-8")
        self._bash.stdin.write(f". {self._block} </dev/null >{self._printed} 2>&1; echo $?\n")
        self._bash.stdin.flush()
        return int(self._bash.stdout.readline()), self._printed.read_text(encoding="utf-8")

    def follow(self, steps: list[Step]) -> None:
        """Take the steps, and look again where what the page shows is not there yet."""
        for step in steps:
            deadline = time.monotonic() + PATIENCE_S
            status, printed = self.run(step.command)
            while step.shown and not shows(step.shown, printed):
                assert is_look(step.command), f"$ {step.command}{printed}"
                assert time.monotonic() < deadline, f"$ {step.command}{printed}\nis not\n{step.shown}"
                time.sleep(POLL_S)
                status, printed = self.run(step.command)
            assert status == 0, f"$ {step.command}{printed}"

    def running(self) -> list[psutil.Process]:
        """Return the processes that were started and have not ended."""
        return psutil.Process(self._bash.pid).children(recursive=True)

    def close(self) -> None:
        """End the shell, and whatever a failed test has left running in it."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.close()
        self._bash.wait(10)
        self._bash.stdout.close()
        left = [process for process in psutil.process_iter() if is_of(process, self._bash.pid)]
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGTERM)
        psutil.wait_procs(left, timeout=20)


def is_look(command: str) -> bool:
    """Return whether a block only looks, so that one may run it again."""
    return re.search(r"weir (alerts|audit)|query", command) is not None


def is_of(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False


@pytest.fixture(scope="module")
def sections(repo_root: Path) -> dict[str, list[Step]]:
    return sections_of((repo_root / PAGE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def notifications() -> Iterator[Notifications]:
    with receiving() as told:
        yield told


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    return {usual: str(free_port()) for usual in PORTS}


@pytest.fixture(scope="module")
def checkout(
    repo_root: Path,
    demo_models: Path,
    notifications: Notifications,
    ports: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Give a folder that looks like a checkout, with what is deployed in more haste and on other ports."""
    checkout = tmp_path_factory.mktemp("newcomer")
    demo = checkout / ".weir/demo"
    demo.mkdir(parents=True)
    (demo / "models").symlink_to(demo_models)
    shutil.copy(demo_models.with_name("models.digest"), demo)
    (checkout / ".venv").symlink_to(sys.prefix)
    shutil.copytree(repo_root / "deploy/prometheus", checkout / "deploy/prometheus")
    scraping = checkout / "deploy/prometheus/prometheus.yml"
    text = re.sub(r"(_interval|_timeout): .*", r"\1: 500ms", scraping.read_text(encoding="utf-8"))
    for usual, free in ports.items():
        text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{free}")
    scraping.write_text(text, encoding="utf-8")
    (checkout / "deploy/alertmanager").mkdir()
    routes = hastened(repo_root / "deploy/alertmanager/alertmanager.yml", notifications.url)
    (checkout / "deploy/alertmanager/alertmanager.yml").write_text(yaml.safe_dump(routes), encoding="utf-8")
    return checkout


@pytest.fixture(scope="module")
def terminal(checkout: Path, ports: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal(checkout, ports)
    yield terminal
    terminal.close()


@pytest.fixture(scope="module")
def browser(ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(f"http://127.0.0.1:{ports['8080']}", tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def told(notifications: Notifications, status: str, version: str) -> dict[str, Any]:
    """Return the page about a version's input as the receiver gets it, as soon as it does."""
    deadline = time.monotonic() + PATIENCE_S
    wanted = {"alertname": "WeirDataQuality", "model": "phishing", "severity": "page", "version": version}
    while True:
        for alert in notifications.alerts("/pages", status):
            if alert["labels"] == wanted:
                return alert
        assert time.monotonic() < deadline, f"no {status} about version {version}"
        time.sleep(POLL_S)


def test_what_is_needed_can_be_installed_and_prepared(
    sections: dict[str, list[Step]], terminal: Terminal, repo_root: Path
) -> None:
    install, prepare = sections["You need"]
    make, packages = install.command.splitlines()
    assert re.search(rf"^{make.removeprefix('make ')}:", (repo_root / "Makefile").read_text(encoding="utf-8"), re.M)
    subprocess.run(packages.split(), cwd=repo_root, check=True, capture_output=True)
    terminal.follow([prepare])


def test_the_gateway_is_started_and_scraped(sections: dict[str, list[Step]], terminal: Terminal) -> None:
    terminal.follow(sections["Start"])


def test_the_console_shows_traffic_of_two_versions_and_no_alert(
    sections: dict[str, list[Step]], terminal: Terminal, browser: Browser
) -> None:
    *steps, token = sections["Send traffic"]
    terminal.follow(steps)
    browser.open()
    browser.sign_in(terminal.run(token.command)[1].strip())
    browser.wait(lambda: "Healthy" in browser.text(".models tbody"), "a healthy model")
    browser.open(MODEL)
    browser.wait(lambda: "canary · 2" in browser.text("#flow"), "the canary")
    browser.wait(lambda: len(browser.all("#drift .heat-row")) >= len(GUILTY), "features that are watched")


def test_broken_input_is_an_alert_in_the_console_and_in_the_terminal(
    sections: dict[str, list[Step]], terminal: Terminal, browser: Browser
) -> None:
    change, look = sections["Break the input"]
    terminal.follow([change])
    browser.wait(lambda: browser.text("#alerts").count("data-quality") >= 2, "two alerts")
    browser.wait(lambda: all(feature in browser.text("#alerts") for feature in GUILTY), "the guilty features")
    browser.press("Acknowledge", "#alerts")
    browser.decide("Acknowledge", "on it")
    browser.wait(lambda: "acknowledged by admin" in browser.text("#alerts"), "acknowledged")
    terminal.follow([look])


def test_it_fires_in_prometheus(sections: dict[str, list[Step]], terminal: Terminal) -> None:
    terminal.follow(sections["In Prometheus"])


def test_alertmanager_tells_the_pager_and_names_the_runbook(
    sections: dict[str, list[Step]], terminal: Terminal, notifications: Notifications, repo_root: Path
) -> None:
    terminal.follow(sections["In Alertmanager"])
    firing = told(notifications, "firing", "2")
    runbook = firing["annotations"]["runbook_url"]
    assert (repo_root / runbook).is_file()
    assert f"({Path(runbook).relative_to('docs')})" in (repo_root / PAGE).read_text(encoding="utf-8")


def test_a_rollback_ends_the_alert_of_the_canary(
    sections: dict[str, list[Step]], terminal: Terminal, notifications: Notifications, browser: Browser
) -> None:
    browser.wait(lambda: browser.button("Roll back…"), "the button of the same name")
    terminal.follow(sections["Roll back"])
    resolved = told(notifications, "resolved", "2")
    assert resolved["fingerprint"] == told(notifications, "firing", "2")["fingerprint"]
    assert resolved["endsAt"] > resolved["startsAt"]


def test_mended_input_ends_the_alert_of_stable_everywhere(
    sections: dict[str, list[Step]], terminal: Terminal, notifications: Notifications
) -> None:
    terminal.follow(sections["Mend the input"])
    told(notifications, "resolved", "1")


def test_nothing_is_left_running(sections: dict[str, list[Step]], terminal: Terminal) -> None:
    assert len(terminal.running()) > 3
    terminal.follow(sections["Stop"])
    assert terminal.running() == []
