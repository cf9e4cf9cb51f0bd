import asyncio
from collections.abc import Iterator

import httpx

from gateway.demo.data import Row
from gateway.demo.incident import fetcher_down
from gateway.demo.traffic import Answer, Traffic


class Endpoint:
    """Answers with the given statuses in turn, 0 being a reset connection, and remembers what was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = statuses
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        status = self.statuses[len(self.requests) % len(self.statuses)]
        self.requests.append(request)
        if status == 0:
            raise httpx.ReadError("reset", request=request)
        headers = {"x-variant": "stable", "x-model-version": "1", "x-route-revision": "1"}
        return httpx.Response(status, json={}, headers=headers)


def rows() -> Iterator[list[Row]]:
    while True:
        yield [{"https": 1.0, "is_popular": 0.5, "long_url": 0.0}]


async def send(endpoint: Endpoint, traffic_of: int) -> Traffic:
    async with httpx.AsyncClient(transport=httpx.MockTransport(endpoint), base_url="http://gateway") as client:
        traffic = Traffic(client, rows(), model="phishing", rate_per_s=5_000.0, lanes=2)
        traffic.transform = fetcher_down
        enough = asyncio.Event()

        def count(answer: Answer) -> None:
            if traffic.total.requests >= traffic_of:
                enough.set()

        traffic.on_answer = count
        running = asyncio.create_task(traffic.run())
        await enough.wait()
        running.cancel()
        await asyncio.wait([running])
    return traffic


def test_every_failure_is_an_error_that_a_client_saw() -> None:
    traffic = asyncio.run(send(Endpoint(200, 503, 0, 200), traffic_of=40))
    total = traffic.total
    assert set(total.errors) == {"503", "ReadError"}
    assert total.failed + total.answers["stable", "1"] == total.requests


def test_rows_go_out_as_the_incident_leaves_them_with_a_routing_key() -> None:
    endpoint = Endpoint(200)
    asyncio.run(send(endpoint, traffic_of=60))
    assert {request.content for request in endpoint.requests} == {b'{"instances":[{"is_popular":null,"long_url":0.0}]}'}
    assert all(request.headers["x-route-key"].startswith("user-") for request in endpoint.requests)
    assert {request.url.path for request in endpoint.requests} == {"/predict/phishing"}


def test_lanes_reconnect_now_and_then_to_reach_all_workers() -> None:
    endpoint = Endpoint(200)
    asyncio.run(send(endpoint, traffic_of=100))
    closing = sum(request.headers["connection"] == "close" for request in endpoint.requests)
    assert closing in (4, 5, 6)
