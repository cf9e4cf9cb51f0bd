"""Rollouts while processes freeze, hosts are cut off and the store stands still: nothing is lost, risk only goes down.

Two gateways share one Redis. Each test has a model of its own and leaves both hosts whole.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.pair import Host, Pair, running_pair
from tests.models import echo_model, failing_model, slow_model, write_bundle

CONNECTIONS = 32
POISON = {"instances": [[1e12]]}  # stable answers it, the second version raises or never comes back
HARMLESS = {"instances": [[1]]}
CANDIDATES = {
    "split": echo_model(),
    "frozen": failing_model(),
    "cut": failing_model(),
    "hangs": slow_model(),
}
PLAN: dict[str, Any] = {
    "steps": [30],
    "shadow": None,
    "dwell_s": 0.5,
    "bake_s": 0.5,
    "guards": {
        "errors": {"margin": 0.2, "keys": 30},
        "latency": {"quantiles": [0.5], "ratio": 3, "slack_ms": 500},
        "predictions": {"distance": 0.7},
    },
}
LONG = PLAN | {"dwell_s": 600}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    for model, candidate in CANDIDATES.items():
        write_bundle(folder / "models" / model / "1", echo_model())
        write_bundle(folder / "models" / model / "2", candidate)
    flags = [part for model in CANDIDATES for part in ("--stable", f"{model}=1")]
    with running_pair(folder, folder / "models", *flags) as running:
        yield running


def load_on(host: Host, model: str, document: object, n: int = 4, pause_s: float = 0.005) -> Load:
    def key_of(client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(host.gateway.port, f"/predict/{model}", document, n=n, key_of=key_of, pause_s=pause_s)


def weights(pair: Pair, model: str) -> list[float]:
    """Return the weights that a model's canary was given, in order."""
    routes = [record.after for record in pair.audited(f"rollout/{model}") if record.action == "rollout.canary"]
    return [route["weight"] for route in routes if route is not None]


def moves(pair: Pair, model: str) -> list[str]:
    return [record.action.removeprefix("rollout.") for record in pair.audited(f"rollout/{model}")]


def test_a_leader_frozen_past_its_lease_is_refused_what_it_had_decided(pair: Pair) -> None:
    pair.hosts[0].start("split", PLAN | {"steps": [30, 60]})
    leader, other = pair.leader_first()
    late = leader.relay.hold(b'"action":"rollout.canary"', b'"step":1')
    with load_on(leader, "split", HARMLESS) as load:
        leader.gateway.wait_until(late.caught.is_set, "on its way to the second step")
        frozen = leader.watch
        os.kill(frozen, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(2) as asking:
                twice = [asking.submit(host.act, "split", "pause", "once") for host in pair.hosts]
            assert [one.result() for one in twice] == [200, 200]
            other.gateway.wait_until(lambda: pair.leads(other), "led by the other one")
            other.gateway.wait_until(lambda: moves(pair, "split").count("lead") == 2, "signed by the other one")
            before = other.rollout("split")
            assert b"epoch" in late.let_go()
        finally:
            os.kill(frozen, signal.SIGCONT)
        assert other.rollout("split") == before
        assert (before["state"], before["step"]) == ("paused", 0)
        assert moves(pair, "split").count("paused") == 1
        assert set(weights(pair, "split")) == {30.0}
        assert load.failures == []
    with load_on(other, "split", HARMLESS) as load:
        assert leader.act("split", "resume", "go-on") == 200
        leader.wait_for("split", "completed")
        assert pair.leads(other)
        assert load.failures == []
    assert moves(pair, "split").count("lead") == 2
    assert sorted(weights(pair, "split")) == weights(pair, "split")
    assert weights(pair, "split")[-1] == 60.0


def test_a_store_that_stands_still_delays_an_abort_and_does_not_repeat_it(pair: Pair) -> None:
    host = pair.hosts[0]
    host.start("frozen", LONG)
    host.wait_for("frozen", "canary")
    entered_at = host.rollout("frozen")["entered_at"]
    pair.server.freeze()
    try:
        host.gateway.wait_until(lambda: all(one.is_degraded() for one in pair.hosts), "degraded")
        with load_on(host, "frozen", POISON) as load:
            host.gateway.wait_until(lambda: tripped(host, "frozen") == 1.0, "tripped without the store")
            assert host.act("frozen", "abort", "enough") == 503
            load.wait_for(100)
    finally:
        pair.server.thaw()
    host.gateway.wait_until(lambda: not any(one.is_degraded() for one in pair.hosts), "whole again")
    assert host.rollout("frozen")["entered_at"] == entered_at
    asked_again = {host.act("frozen", "abort", "enough") for _ in range(2)}
    assert asked_again <= {200, 409}, "409 where the evidence of that time was faster"
    host.wait_for("frozen", "rolled_back")
    assert host.canary("frozen") is None
    assert moves(pair, "frozen").count("rolling_back") == 1
    assert set(weights(pair, "frozen")) == {30.0}
    assert load.failures == []
    assert {answer.version for answer in load.answers} == {"1"}


def test_a_host_that_is_cut_off_harms_nobody_and_follows_when_it_is_back(pair: Pair) -> None:
    pair.hosts[0].start("cut", LONG)
    leader, other = pair.leader_first()
    leader.wait_for("cut", "canary")
    leader.gateway.wait_until(lambda: all(one.canary("cut") for one in pair.hosts), "routed")
    other.relay.cut()
    try:
        other.gateway.wait_until(other.is_degraded, "degraded")
        with load_on(other, "cut", POISON) as load_there, load_on(leader, "cut", POISON) as load_here:
            leader.wait_for("cut", "rolled_back")
            other.gateway.wait_until(lambda: tripped(other, "cut") == 1.0, "tripped by itself")
            assert other.act("cut", "promote", "on") == 503
            load_there.wait_for(100)
            revision = max(answer.revision for answer in load_here.answers)
            assert max(answer.revision for answer in load_there.answers) < revision
            other.relay.mend()
            other.gateway.wait_until(lambda: other.has_applied("cut", revision), "back on the route")
    finally:
        other.relay.mend()
    other.gateway.wait_until(lambda: not other.is_degraded(), "whole again")
    assert load_there.failures == load_here.failures == []
    assert {answer.version for answer in load_there.answers + load_here.answers} == {"1"}
    assert moves(pair, "cut").count("rolling_back") == 1
    assert tripped(other, "cut") == 0.0


def test_no_client_notices_a_canary_that_hangs_at_full_load(pair: Pair) -> None:
    pair.hosts[0].start("hangs", LONG)
    leader, _ = pair.leader_first()
    leader.wait_for("hangs", "canary")
    with load_on(leader, "hangs", POISON, n=CONNECTIONS, pause_s=0.0) as load:
        leader.wait_for("hangs", "rolled_back")
        load.wait_for(200)
    assert load.failures == []
    assert {answer.version for answer in load.answers} == {"1"}
    found = leader.rollout("hangs")
    assert found["is_automatic"]
    assert found["cause"].startswith("errors: ")
    assert MetricsPage.of(leader.gateway.url).sum("weir_canary_fallback_total", model="hangs", reason="timeout") >= 3


def tripped(host: Host, model: str) -> float:
    return MetricsPage.of(host.gateway.url).sum("weir_canary_tripped", model=model)
