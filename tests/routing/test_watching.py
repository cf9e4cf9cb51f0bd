"""What the watch knows of routes."""

from dataclasses import replace
from pathlib import Path

from gateway.clock import SystemClock
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import RouteDocument, Stop
from gateway.routing.watching import route_reader
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor
from monitors.records import ModelRoute


def test_a_route_that_cannot_be_read_stays_as_it_was_and_hides_no_other(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "weir.db")
    ledger, reader = Ledger(store, SystemClock()), route_reader(store)

    def put(model: str, revision: int, body: bytes) -> None:
        ledger.change(
            [Write(route_key(model), revision, body)],
            actor=Actor("test"), action="route.change", resource=f"route/{model}", before=None, after=None,
        )  # fmt: skip

    assert reader.read() == ()
    fraud, spam = RouteDocument("fraud", 0, "1", "salt"), RouteDocument("spam", 0, "7", "salt", resumed_at=5.0)
    put("fraud", 0, encode_route(fraud))
    put("spam", 0, encode_route(spam))
    assert set(reader.read()) == {ModelRoute("fraud", "1"), ModelRoute("spam", "7", resumed_at=5.0)}
    put("fraud", 1, b"[]")
    put("spam", 1, encode_route(replace(spam, stop=Stop("a test", "2026-01-01T00:00:00Z", "test"))))
    assert set(reader.read()) == {ModelRoute("fraud", "1"), ModelRoute("spam", "7", is_stopped=True, resumed_at=5.0)}
    store.close()
