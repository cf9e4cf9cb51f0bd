"""What the watch derives from documents and announcements."""

from __future__ import annotations

from gateway.metrics.derived import lag_gauges
from gateway.routing.document import RouteDocument
from gateway.types import WorkerFacts


def test_a_worker_lags_where_it_has_applied_an_older_route_than_the_one_in_force() -> None:
    route = RouteDocument("m", 7, "1", "salt")
    fleet = [
        WorkerFacts("a", 1, 0.0, routes={"m": 7}),
        WorkerFacts("b", 2, 0.0, routes={"m": 6}),
        WorkerFacts("leaves", 3, 0.0, routes={"m": 6}, draining=True),
        WorkerFacts("starts", 4, 0.0, routes={"other": 1}),
    ]
    assert list(lag_gauges([route], fleet)) == [("weir_route_lagging_workers", {"model": "m"}, 1.0)]
