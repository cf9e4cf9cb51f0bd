"""The watch process on real sockets, a real store and real counters."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from gateway.clock import SystemClock
from gateway.codec.configuration import encode_settings
from gateway.metrics.shared import SharedCounters
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import CanaryRoute, RouteDocument, Stop
from gateway.rundir import RunDirectory
from gateway.settings import MonitorSettings, Settings
from gateway.state.ledger import Ledger
from gateway.state.pages import read_pages
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor
from gateway.watch import run_watch, thresholds_of
from monitors.transport.channel import ChannelSender
from monitors.transport.frames import encode_frame
from tests.monitors.material import evidence, info, observe, rows

LIMIT_S = 20.0


class Tree:
    """A run directory with a state store beside it, and a worker that counts."""

    def __init__(self, tmp_path: Path) -> None:
        self.run_dir = RunDirectory(tmp_path)
        self.run_dir.counters.mkdir()
        monitor = MonitorSettings(tick_s=0.2, minimum_rows=50, clear_ticks=1)
        self.settings = replace(Settings(), state=str(tmp_path / "weir.db"), monitor=monitor)
        self.counters = SharedCounters.create(self.run_dir.counters, "w1", role="worker")

    def sender(self, missing: bool) -> ChannelSender:
        """Return a worker's channel that brings 100 rows on connecting."""
        values_nd = rows(np.random.default_rng(0), 100)
        if missing:
            values_nd[:, 0] = np.nan
        return ChannelSender(
            self.run_dir.watch_socket,
            limit_bytes=1_000_000,
            on_connect=lambda: [encode_frame(info()), encode_frame(observe(values_nd, time.time()))],
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[httpx.AsyncClient]:
        """Run the watch and give a client of its pages; end it afterwards."""
        stop = asyncio.Event()
        transport = httpx.AsyncHTTPTransport(uds=str(self.run_dir.watch_http_socket), retries=5)
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(run_watch(self.settings, self.run_dir, stop, parent=os.getppid()))
            async with httpx.AsyncClient(transport=transport, base_url="http://watch") as client:
                yield client
            stop.set()
            await watch


async def until(client: httpx.AsyncClient, path: str, holds: Callable[[Any], bool]) -> Any:
    """Ask for a page until it says what is awaited."""
    while True:
        try:
            answer = (await client.get(path)).json()
        except httpx.TransportError:
            answer = None
        if answer is not None and holds(answer):
            return answer
        await asyncio.sleep(0.02)


def test_rows_become_a_report_an_alert_and_a_stored_document(tmp_path: Path) -> None:
    tree = Tree(tmp_path)

    async def scenario() -> None:
        async with tree.watching() as client:
            sender = tree.sender(missing=True)
            sender.start()
            alerts = await until(client, "/admin/v1/alerts", lambda page: bool(page["alerts"]))
            causes = {alert["cause"]: alert for alert in alerts["alerts"]}
            assert causes["data-quality"]["drivers"][0]["name"] == "https"
            report = await until(client, "/admin/v1/models/phishing/drift", lambda page: "streams" in page)
            assert report["streams"][0]["rows_total"] == 100
            unknown = await client.get("/admin/v1/models/nobody/drift")
            assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:weir:problem:model-unknown")
            assert unknown.headers["content-type"] == "application/problem+json"
            assert (await client.get("/livez")).text == "ok"
            await sender.close()

    asyncio.run(scenario())
    store = SqliteStore(Path(tree.settings.state))
    assert store.read_prefix("alert/")
    assert store.audit()[0].action == "alert.firing"
    store.close()


def test_an_alert_survives_the_watch(tmp_path: Path) -> None:
    tree = Tree(tmp_path)

    async def scenario() -> None:
        async with tree.watching() as client:
            sender = tree.sender(missing=True)
            sender.start()
            before = await until(client, "/admin/v1/alerts", lambda page: bool(page["alerts"]))
            await sender.close()
        async with tree.watching() as client:
            after = await until(client, "/admin/v1/alerts", lambda page: bool(page["alerts"]))
        assert after["alerts"][0]["id"] == before["alerts"][0]["id"]

    asyncio.run(scenario())


def test_a_watch_that_is_killed_goes_on_with_its_page_and_pages_no_second_time(tmp_path: Path, repo_root: Path) -> None:
    tree = Tree(tmp_path)
    monitor = MonitorSettings(
        tick_s=0.2, minimum_rows=50, clear_ticks=1, page_on="profile", burn_in_s=0.0, minimum_firing_s=0.0
    )
    tree.run_dir.settings_file.write_bytes(encode_settings(replace(tree.settings, monitor=monitor)))
    rng = np.random.default_rng(0)

    def moved() -> bytes:
        values_nd = rows(rng, 100)
        values_nd[:, 1] += 20.0
        return encode_frame(observe(values_nd, time.time()))

    def paged(page: Any) -> bool:
        return any(alert["cause"] == "drift" and alert["severity"] == "page" for alert in page.get("alerts", ()))

    async def until_paged(client: httpx.AsyncClient, sender: ChannelSender) -> str:
        while True:
            sender.send(moved())
            page = await until(client, "/admin/v1/alerts", lambda page: "alerts" in page)
            if paged(page):
                return str(next(alert["id"] for alert in page["alerts"] if alert["cause"] == "drift"))

    async def scenario() -> None:
        saved = tmp_path / "weir.db.evidence.json"
        introduced = [encode_frame(info(evidence=evidence()))]
        arguments = ["-m", "gateway.watch", "--run-dir", str(tmp_path), "--parent", str(os.getpid())]
        found = []
        async with asyncio.timeout(2 * LIMIT_S):
            for _ in range(2):
                process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=repo_root)
                transport = httpx.AsyncHTTPTransport(uds=str(tree.run_dir.watch_http_socket))
                sender = ChannelSender(tree.run_dir.watch_socket, limit_bytes=1_000_000, on_connect=lambda: introduced)
                async with httpx.AsyncClient(transport=transport, base_url="http://watch") as client:
                    await until(client, "/admin/v1/alerts", lambda page: "alerts" in page)
                    sender.start()
                    found.append(await until_paged(client, sender))
                    await until(client, "/admin/v1/alerts", lambda _: saved.exists())
                await sender.close()
                process.kill()
                await process.wait()
        assert found[0] == found[1]

    asyncio.run(scenario())
    store = SqliteStore(Path(tree.settings.state))
    assert len([page for page in read_pages(store) if page.cause == "drift"]) == 1
    store.close()


def test_the_metrics_page_has_counters_of_workers_gauges_of_monitors_and_weights_of_routes(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.counters.counter("weir_requests_total", model="phishing", version="1", variant="stable", outcome="ok").inc()
    store = SqliteStore(Path(tree.settings.state))
    route = RouteDocument("phishing", 0, "1", "salt", CanaryRoute("2", 1_000))
    Ledger(store, SystemClock()).change(
        [Write(route_key("phishing"), 0, encode_route(route))],
        actor=Actor("test"), action="route.change", resource="route/phishing", before=None, after=None,
    )  # fmt: skip
    store.close()

    async def scenario() -> None:
        async with tree.watching() as client:
            sender = tree.sender(missing=False)
            sender.start()
            await until(
                client, "/admin/v1/models/phishing/drift", lambda page: any(s["rows"] for s in page.get("streams", ()))
            )
            page = await client.get("/metrics", headers={"accept": "application/openmetrics-text"})
            assert page.headers["content-type"].startswith("application/openmetrics-text")
            text = (await client.get("/metrics")).text
            await sender.close()
        assert 'weir_requests_total{model="phishing",outcome="ok",variant="stable",version="1"} 1.0' in relabelled(text)
        for line in (
            'weir_variant_weight_ratio{model="phishing",variant="canary",version="2"} 0.1',
            'weir_route_revision{model="phishing"} 1.0',
            'weir_workers{role="worker"} 1.0',
            'weir_alert_state{cause="drift",model="phishing",severity="page",version="1"} 0.0',
        ):
            assert line in relabelled(text)
        for name in ("weir_drift_effect", "weir_prediction_share", "weir_confidence_collapse_index", "weir_build_info"):
            assert f"\n{name}{{" in text

    asyncio.run(scenario())


def relabelled(text: str) -> list[str]:
    """Return the samples of a page with their labels in order."""
    found = []
    for line in text.splitlines():
        name, brace, rest = line.partition("{")
        labels, _, value = rest.partition("} ")
        found.append(f"{name}{{{','.join(sorted(labels.split(',')))}}} {value}" if brace else line)
    return found


def test_requests_that_the_contract_refused_reach_the_alerts(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    checked = tree.counters.counter("weir_contract_rows_total", model="phishing", version="1")
    wrong = tree.counters.counter(
        "weir_feature_faults_total", model="phishing", version="1", feature="https", kind="wrong_type"
    )

    async def scenario() -> None:
        async with tree.watching() as client:
            found: list[dict[str, Any]] = []
            while not found:
                for _ in range(20):
                    checked.inc()
                    wrong.inc()
                found = (await until(client, "/admin/v1/alerts", lambda page: "alerts" in page))["alerts"]
            assert (found[0]["cause"], found[0]["drivers"][0]["statistic"]) == ("data-quality", "wrong_type")

    asyncio.run(scenario())


def test_the_watch_goes_on_while_a_page_fails_on_the_store(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    store = SqliteStore(Path(tree.settings.state))
    Ledger(store, SystemClock()).change(
        [Write("route/phishing", 0, b"[]")],
        actor=Actor("test"), action="route.change", resource="route/phishing", before=None, after=None,
    )  # fmt: skip
    store.close()

    async def scenario() -> None:
        async with tree.watching() as client:
            await until(client, "/admin/v1/alerts", lambda page: page == {"alerts": []})
            page = await client.get("/metrics")
            assert page.status_code == 200
            assert "weir_build_info" in page.text

    asyncio.run(scenario())


def test_missing_traffic_is_that_of_the_routes_stable_until_an_operator_stops_the_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree = Tree(tmp_path)
    monitor = replace(tree.settings.monitor, no_traffic_s={"phishing": 0.4})
    tree.settings = replace(tree.settings, models=tmp_path / "models", monitor=monitor)
    store = SqliteStore(Path(tree.settings.state))
    route = RouteDocument("phishing", 0, "1", "salt")
    _store_route(store, route)

    async def scenario() -> None:
        announced = [encode_frame(info("1")), encode_frame(info("2"))]
        sender = ChannelSender(tree.run_dir.watch_socket, limit_bytes=1_000_000, on_connect=lambda: announced)
        async with tree.watching() as client:
            sender.start()
            page = await until(client, "/admin/v1/alerts", lambda page: bool(page["alerts"]))
            assert [(alert["cause"], alert["version"]) for alert in page["alerts"]] == [("no-data", "1")]
            _store_route(store, replace(route, revision=1, stop=Stop("a test", "2026-01-01T00:00:00Z", "test")))
            page = await until(client, "/admin/v1/alerts", lambda page: page["alerts"][0]["state"] == "resolved")
            assert page["alerts"][0]["summary"].endswith("(an operator has stopped the model)")
            await sender.close()

    with caplog.at_level(logging.WARNING, "gateway.watch"):
        asyncio.run(scenario())
    store.close()
    warned = [record.getMessage() for record in caplog.records if "no_traffic_s" in record.getMessage()]
    assert [text.split(",")[0] for text in warned] == [
        "monitor.no_traffic_s: no folder of models holds a version of phishing"
    ]


def _store_route(store: SqliteStore, route: RouteDocument) -> None:
    Ledger(store, SystemClock()).change(
        [Write(route_key(route.model), route.revision, encode_route(route))],
        actor=Actor("test"), action="route.change", resource=f"route/{route.model}", before=None, after=None,
    )  # fmt: skip


def test_the_process_ends_cleanly_on_sigterm(tmp_path: Path, repo_root: Path) -> None:
    tree = Tree(tmp_path)
    tree.run_dir.settings_file.write_bytes(encode_settings(tree.settings))

    async def scenario() -> None:
        arguments = ["-m", "gateway.watch", "--run-dir", str(tmp_path), "--parent", str(os.getpid())]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=repo_root)
        transport = httpx.AsyncHTTPTransport(uds=str(tree.run_dir.watch_http_socket))
        async with asyncio.timeout(LIMIT_S), httpx.AsyncClient(transport=transport, base_url="http://watch") as client:
            await until(client, "/admin/v1/alerts", lambda page: page == {"alerts": []})
            process.terminate()
            assert await process.wait() == 0
        assert not tree.run_dir.watch_socket.exists()

    asyncio.run(scenario())


def test_every_setting_of_the_monitors_reaches_them() -> None:
    settings = MonitorSettings(tick_s=3.0, drift_page=0.5, feature_series=2)
    found = thresholds_of(settings)
    assert (found.tick_s, found.drift_page, found.feature_series) == (3.0, 0.5, 2)
