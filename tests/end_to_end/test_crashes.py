"""Processes killed, the tree stopped and the store held, each under the load of eight clients."""

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests import loopback
from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import multi_output, write_bundle

CLIENTS = 8
CHILDREN = {"gateway.app": 2, "gateway.shadow": 1, "gateway.watch": 1}
BROKEN_OFF = {"ConnectionResetError", "RemoteDisconnected", "BrokenPipeError"}
ROWS = {"instances": [[1, 2, 3]]}
ROUTE = {"stable": "2", "canary": {"version": "1", "weight": 30.0}, "shadow": [{"version": "3"}]}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    for version in "123":
        write_bundle(tmp_path / "models" / "m" / version, multi_output())
    with RunningGateway(tmp_path / "models", tmp_path / "weir.db", "--stable", "m=2", "--tick-s", "0.5") as gateway:
        for version in "123":
            gateway.wait_for_workers("m", version)
        assert gateway.put_route("m", **ROUTE).status_code == 200
        gateway.wait_until(lambda: all_children(gateway), "whole")
        yield gateway


def all_children(gateway: RunningGateway) -> bool:
    return {module: len(gateway.children(module)) for module in CHILDREN} == CHILDREN


def load_on(gateway: RunningGateway) -> Load:
    return Load(gateway.port, "/predict/m", ROWS, n=CLIENTS, pause_s=0.005)


class Scraper:
    """Reads the metrics page again and again, and remembers what went backwards."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._scrape)
        self.newest = MetricsPage("")
        self.statuses: set[int] = set()
        self.pages = 0
        self.lost: list[str] = []

    def __enter__(self) -> "Scraper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def take(self, page: MetricsPage) -> None:
        """Compare a page with the one before: every total must be there and must not be smaller."""
        self.pages += 1
        for sample, before in self.newest.totals.items():
            if not page.totals.get(sample, -1.0) >= before:
                self.lost.append(f"{sample} from {before} to {page.totals.get(sample)}")
        self.newest = page

    def _scrape(self) -> None:
        while not self._stopping.is_set():
            try:
                response = loopback.get(f"{self._url}/metrics", timeout=5.0)
            except httpx.TransportError:  # the worker that was asked has just been killed
                continue
            self.statuses.add(response.status_code)
            if response.status_code == 200:
                self.take(MetricsPage(response.text))
            self._stopping.wait(0.02)


def test_a_killed_process_is_replaced_while_the_others_serve_and_no_count_is_lost(gateway: RunningGateway) -> None:
    with Scraper(gateway.url) as scraper, load_on(gateway) as load:
        for module in ("gateway.shadow", "gateway.watch", "gateway.app"):
            load.wait_for(200)
            cut_off = kill_one(gateway, module)
            seen = scraper.pages
            load.wait_for(200)
            gateway.wait_until(lambda: all_children(gateway), "whole again")
            gateway.wait_until(lambda before=seen: scraper.pages > before + 5, "watching again")
    scraper.take(MetricsPage.of(gateway.url))
    assert {failure.error for failure in load.failures} <= BROKEN_OFF, load.failures[:3]
    assert len(load.failures) <= min(cut_off, CLIENTS)
    assert scraper.lost == []
    assert scraper.statuses <= {200, 503}
    counted = scraper.newest.sum("weir_requests_total", outcome="ok")
    answered = len(load.answers)
    assert answered <= counted <= answered + len(load.failures)
    assert counted == scraper.newest.sum("weir_requests_total"), "a request was counted as refused or failed"
    for role in ("worker", "shadow", "watch"):
        assert scraper.newest.sum("weir_worker_restarts_total", role=role) == 1.0


def kill_one(gateway: RunningGateway, module: str) -> int:
    """Kill a process and wait until it is gone; return how many connections it had."""
    process = psutil.Process(gateway.children(module)[0])
    connections = connections_of(process.pid)
    process.kill()
    gateway.wait_until(lambda: process.pid not in gateway.children(module), "gone")
    return connections


def connections_of(pid: int) -> int:
    return sum(kind.status == psutil.CONN_ESTABLISHED for kind in psutil.Process(pid).net_connections("tcp"))


def test_every_worker_killed_at_once_is_back_within_seconds(gateway: RunningGateway) -> None:
    workers = gateway.children("gateway.app")
    with load_on(gateway) as load:
        load.wait_for(100)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        load.wait_for(300)
    assert {failure.error for failure in load.failures} <= BROKEN_OFF
    assert len(load.failures) <= CLIENTS
    assert not set(workers) & set(gateway.children("gateway.app"))


def test_sigterm_under_load_costs_no_client_an_answer(gateway: RunningGateway) -> None:
    run_dir = run_directory(gateway)
    assert run_dir.is_dir()
    with load_on(gateway) as load:
        load.wait_for(300)
        status = gateway.stop()
        load.join()
    assert {exchange.status for exchange in load.answers} == {200}
    assert [failure.error for failure in load.failures] == ["ConnectionRefusedError"] * CLIENTS
    assert status == 0
    assert not run_dir.exists()
    assert "Traceback" not in gateway.log.read_text()
    assert '"error"' not in gateway.log.read_text()


def run_directory(gateway: RunningGateway) -> Path:
    command = psutil.Process(gateway.children("gateway.watch")[0]).cmdline()
    return Path(command[command.index("--run-dir") + 1])


def test_serving_goes_on_while_the_store_is_held(gateway: RunningGateway) -> None:
    with load_on(gateway) as load:
        load.wait_for(100)
        holder = sqlite3.connect(gateway.state, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with ThreadPoolExecutor(1) as administrator:
            change = administrator.submit(gateway.put_route, "m", **ROUTE)
            load.wait_for(50 * CLIENTS)
            assert not change.done(), "nobody waited for the store: the test shows nothing"
            served = Counter(answer.client for answer in load.answers if answer.started_at > began)
            while time.monotonic() < began + 3.0:
                load.wait_for(50)
            holder.execute("ROLLBACK")
            holder.close()
            assert change.result().status_code == 200
        changed = gateway.put_route("m", **ROUTE | {"canary": None})
        assert changed.status_code == 200
        gateway.wait_until(lambda: load.exchanges[-1].revision == changed.json()["revision"], "on the new route")
    assert load.failures == []
    assert len(served) == CLIENTS
    assert min(served.values()) >= 10, "clients of one worker waited with it for the store"
