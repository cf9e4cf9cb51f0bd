import asyncio
from collections.abc import Iterator

import httpx
import pytest

from gateway.demo.admin import Admin
from gateway.demo.data import Row
from gateway.demo.incident import GUILTY
from gateway.demo.scenario import PHASES, Scenario, scaled
from gateway.demo.traffic import Traffic
from gateway.demo.verdict import Check, verdict
from tests.demo.fake_gateway import FakeGateway

FEATURES = (*GUILTY, "long_url")


def endless_rows() -> Iterator[list[Row]]:
    while True:
        yield [dict.fromkeys(FEATURES, 0.5)]


async def play(gateway: FakeGateway, factor: float = 0.03) -> Scenario:
    transport = httpx.MockTransport(gateway)
    headers = {"authorization": "Bearer token"}
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as public,
        httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as operator,
    ):
        traffic = Traffic(public, endless_rows(), model="phishing", rate_per_s=400.0, lanes=4)
        scenario = Scenario(scaled(PHASES, factor), traffic, Admin(operator, "phishing"), poll_s=0.01)
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(traffic.run()), group.create_task(scenario.watch())]
            await scenario.run()
            for task in background:
                task.cancel()
    return scenario


def broken(checks: list[Check]) -> list[str]:
    return [check.promise for check in checks if not check.kept]


@pytest.fixture(scope="module")
def played() -> tuple[FakeGateway, Scenario]:
    gateway = FakeGateway()
    return gateway, asyncio.run(play(gateway))


def test_every_promise_is_kept_by_a_gateway_that_keeps_them(played: tuple[FakeGateway, Scenario]) -> None:
    _, scenario = played
    assert [(check.promise, check.found) for check in verdict(scenario, FEATURES) if not check.kept] == []
    assert scenario.is_over


def test_the_route_is_changed_by_compare_and_set_only(played: tuple[FakeGateway, Scenario]) -> None:
    gateway, _ = played
    assert (gateway.revision, gateway.refused_writes) == (4, 0)


def test_phases_count_their_own_requests(played: tuple[FakeGateway, Scenario]) -> None:
    _, scenario = played
    assert [record.phase.name for record in scenario.records] == [phase.name for phase in PHASES]
    assert all(0 < record.requests < scenario.traffic.total.requests for record in scenario.records)
    assert all(("canary", "2") not in scenario.records[i].answers for i in (0, -1))
    assert scenario.records[1].answers["canary", "2"] > 0


def test_a_gateway_that_sees_nothing_is_found_out() -> None:
    gateway = FakeGateway()
    gateway.is_deaf = True
    scenario = asyncio.run(play(gateway, factor=0.01))
    assert broken(verdict(scenario, FEATURES)) == [
        "data-quality fires and names the features",
        "drift fires and names the features",
        "confidence-collapse fires and names the features",
        "they resolve after the recovery",
    ]
