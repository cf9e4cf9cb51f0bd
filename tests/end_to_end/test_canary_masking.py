"""Canaries that raise or hang on live requests: clients do not notice, and the canary loses its share."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.load import Load
from tests.end_to_end.metrics_page import MetricsPage
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, failing_model, slow_model, write_bundle

POISON = {"instances": [[1e12]]}  # the echo answers it, the second model raises, the third never comes back
HARMLESS = {"instances": [[1]]}
RAISES, HANGS = "2", "3"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    for version, model in {"1": echo_model(), RAISES: failing_model(), HANGS: slow_model()}.items():
        write_bundle(tmp_path / "models" / "m" / version, model)
    with RunningGateway(tmp_path / "models", tmp_path / "weir.db", "--stable", "m=1") as gateway:
        for version in ("1", RAISES, HANGS):
            gateway.wait_for_workers("m", version)
        yield gateway


def load_on(gateway: RunningGateway, document: object) -> Load:
    def key_of(client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, "/predict/m", document, n=8, key_of=key_of, pause_s=0.005, renew_every=40)


def put_canary(gateway: RunningGateway, version: str) -> None:
    response = gateway.put_route("m", stable="1", canary={"version": version, "weight": 50.0})
    assert response.status_code == 200, response.text


def tripped(gateway: RunningGateway, version: str) -> float:
    return MetricsPage.of(gateway.url).sum("weir_canary_tripped", version=version)


def fallbacks(gateway: RunningGateway, version: str, **labels: str) -> float:
    return MetricsPage.of(gateway.url).sum("weir_canary_fallback_total", version=version, **labels)


@pytest.mark.parametrize(
    ("version", "reason", "slowest_s"),
    [pytest.param(RAISES, "error", 1.0, id="raises"), pytest.param(HANGS, "timeout", 2.0, id="hangs")],
)
def test_a_broken_canary_is_answered_by_stable_and_loses_its_share(
    gateway: RunningGateway, version: str, reason: str, slowest_s: float
) -> None:
    put_canary(gateway, version)
    with load_on(gateway, POISON) as load:
        gateway.wait_until(lambda: tripped(gateway, version) == 2.0, "tripped on both workers")
        load.wait_for(100)
        counted = fallbacks(gateway, version)
        load.wait_for(400)
        assert fallbacks(gateway, version) == counted, "a tripped canary was asked again"
    assert load.failures == []
    assert {(answer.version, answer.variant) for answer in load.answers} == {("1", "stable")}
    assert counted >= 6  # three strikes on each of two workers
    assert fallbacks(gateway, version, reason=reason) >= 2
    assert fallbacks(gateway, version, reason="rejected") == 0
    seconds = [answer.seconds for answer in load.answers]
    assert statistics.median(seconds) < 0.1
    assert max(seconds) < slowest_s
    assert MetricsPage.of(gateway.url).sum("weir_requests_total", outcome="ok") == len(load.answers)


def test_a_tripped_canary_stays_out_until_the_route_changes(gateway: RunningGateway) -> None:
    put_canary(gateway, RAISES)
    with load_on(gateway, POISON) as load:
        gateway.wait_until(lambda: tripped(gateway, RAISES) == 2.0, "tripped on both workers")
    assert load.failures == []
    with load_on(gateway, HARMLESS) as load:
        load.wait_for(200)
        assert {answer.variant for answer in load.answers} == {"stable"}
        put_canary(gateway, RAISES)
        gateway.wait_until(lambda: tripped(gateway, RAISES) == 0.0, "forgiven")
        load.wait_for(200)
    assert load.failures == []
    after = [answer.variant for answer in load.answers if answer.revision == 3]
    assert 0.3 < after.count("canary") / len(after) < 0.7
