"""Canaries that raise or hang on live requests, and a shadow that hangs: clients do not notice.

All tests share a gateway; each has a model of its own, with a good version 1 and a broken version 2.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import loopback
from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, failing_model, slow_model, write_bundle

POISON = {"instances": [[1e12]]}  # the echo answers it, a failing model raises, a slow one never comes back
HARMLESS = {"instances": [[1]]}
BROKEN = {"raises": failing_model(), "hangs": slow_model(), "forgiven": failing_model(), "aside": slow_model()}

MOST_ASKED = 60
"""Requests that reach a canary before it trips: a few a worker, and what its eight clients have sent meanwhile."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("masking")
    for model, broken in BROKEN.items():
        write_bundle(folder / "models" / model / "1", echo_model())
        write_bundle(folder / "models" / model / "2", broken)
    flags = [part for model in BROKEN for part in ("--stable", f"{model}=1")]
    with RunningGateway(folder / "models", folder / "weir.db", *flags) as gateway:
        for model in BROKEN:
            for version in "12":
                gateway.wait_for_workers(model, version)
        yield gateway


def load_on(gateway: RunningGateway, model: str, document: object) -> Load:
    def key_of(client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, f"/predict/{model}", document, n=8, key_of=key_of, pause_s=0.01, renew_every=40)


def put_canary(gateway: RunningGateway, model: str) -> None:
    response = gateway.put_route(model, stable="1", canary={"version": "2", "weight": 50.0})
    assert response.status_code == 200, response.text


def tripped(gateway: RunningGateway, model: str) -> float:
    return MetricsPage.of(gateway.url).sum("weir_canary_tripped", model=model, version="2")


def fallbacks(gateway: RunningGateway, model: str, **labels: str) -> float:
    return MetricsPage.of(gateway.url).sum("weir_canary_fallback_total", model=model, version="2", **labels)


@pytest.mark.parametrize(("model", "reason"), [("raises", "error"), ("hangs", "timeout")], ids=["raises", "hangs"])
def test_a_broken_canary_is_answered_by_stable_and_loses_its_share(
    gateway: RunningGateway, model: str, reason: str
) -> None:
    put_canary(gateway, model)
    with load_on(gateway, model, POISON) as load:
        gateway.wait_until(lambda: tripped(gateway, model) == 2.0, "tripped on both workers")
        load.wait_for(100)
        counted = fallbacks(gateway, model)
        load.wait_for(400)
        assert fallbacks(gateway, model) == counted, "a tripped canary was asked again"
    assert load.failures == []
    assert {(answer.version, answer.variant) for answer in load.answers} == {("1", "stable")}
    assert counted >= 6  # three strikes on each of two workers
    assert counted <= MOST_ASKED, "more answers than these waited for the canary"
    assert fallbacks(gateway, model, reason=reason) >= 2
    assert fallbacks(gateway, model, reason="rejected") == 0
    assert MetricsPage.of(gateway.url).sum("weir_requests_total", model=model, outcome="ok") == len(load.answers)


def test_a_tripped_canary_stays_out_until_the_route_changes(gateway: RunningGateway) -> None:
    put_canary(gateway, "forgiven")
    with load_on(gateway, "forgiven", POISON) as load:
        gateway.wait_until(lambda: tripped(gateway, "forgiven") == 2.0, "tripped on both workers")
    assert load.failures == []
    with load_on(gateway, "forgiven", HARMLESS) as load:
        load.wait_for(200)
        assert {answer.variant for answer in load.answers} == {"stable"}
        put_canary(gateway, "forgiven")
        gateway.wait_until(lambda: tripped(gateway, "forgiven") == 0.0, "forgiven")
        load.wait_for(200)
    assert load.failures == []
    after = [answer.variant for answer in load.answers if answer.revision == 3]
    assert 0.3 < after.count("canary") / len(after) < 0.7


@pytest.mark.skipif(sys.platform != "linux", reason="the idle policy is Linux's")
def test_a_shadow_that_hangs_takes_a_core_from_nobody(gateway: RunningGateway) -> None:
    response = gateway.put_route("aside", stable="1", shadow=[{"version": "2"}])
    assert response.status_code == 200, response.text

    def is_set_aside() -> bool:
        loopback.post(f"{gateway.url}/predict/aside", json=POISON).raise_for_status()
        (shadow,) = gateway.children("gateway.shadow")
        threads = [int(task.name) for task in Path(f"/proc/{shadow}/task").iterdir()]
        return os.SCHED_IDLE in map(os.sched_getscheduler, threads)

    gateway.wait_until(is_set_aside, "with the hanging run set aside")
