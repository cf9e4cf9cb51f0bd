"""A canary that fails on live requests: nobody notices, it is taken out, and after the rollback it is forgotten."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.demo.admin import read_total
from gateway.demo.data import load_phishing, sample_instances
from tests.end_to_end.running import RunningGateway

BROKEN = "4"


@pytest.fixture(scope="module")
def gateway(demo_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    state = tmp_path_factory.mktemp("tripped") / "weir.db"
    with RunningGateway(demo_models, state, "--stable", "phishing=1", workers=1) as running:
        running.wait_for_workers("phishing", BROKEN)
        yield running


def test_a_tripped_canary_shows_until_the_rollback_and_not_after_it(gateway: RunningGateway) -> None:
    def total(name: str) -> float:
        return read_total(gateway.read("/metrics").text, name)

    requests = sample_instances(load_phishing().instances())
    with gateway.client() as client:
        answer = gateway.put_route("phishing", stable="1", canary={"version": BROKEN, "weight": 100.0}, shadow=[])
        assert answer.status_code == 200, answer.text
        gateway.wait_until(lambda: applied(client, 2), "applied")
        assert total("weir_canary_tripped") == 0
        answers = [client.post("/predict/phishing", json={"instances": next(requests)}) for _ in range(40)]
        assert {answer.status_code for answer in answers} == {200}
        assert total("weir_canary_tripped") == 1
        assert total("weir_canary_fallback_total") >= 3

        client.post("/admin/v1/models/phishing/rollback", json={"reason": "it raises"}).raise_for_status()
        gateway.wait_until(lambda: applied(client, 3), "rolled back")
        assert total("weir_canary_tripped") == 0


def applied(client: httpx.Client, revision: int) -> bool:
    """Return whether the worker answers under a revision of the route."""
    rows = next(sample_instances(load_phishing().instances()))
    answer = client.post("/predict/phishing", json={"instances": rows})
    return answer.headers["x-route-revision"] == str(revision)
