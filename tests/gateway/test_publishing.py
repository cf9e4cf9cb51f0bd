"""Changes of the roster come into force: the table, the gauges, and the watch, which is told of each version once."""

import asyncio
from pathlib import Path

from gateway.apply_delay import ApplyDelay
from gateway.arms import ArmKeeper
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.publishing import Publisher
from gateway.resting import RestKeeper
from gateway.routing.document import RouteDocument
from gateway.settings import Settings
from gateway.tap import Tap
from tests.models import echo_model
from tests.pipeline.ground import Notes
from tests.serving import TRIPWIRES, HandClock, ListSink, counted, servable_of


def test_a_version_is_introduced_when_it_is_loaded_and_to_a_watch_that_connects_anew(tmp_path: Path) -> None:
    async def check() -> None:
        clock, sink = HandClock(), ListSink()
        counters = SharedCounters.create(tmp_path / "counters", "w", role="worker", capacity=65_536)
        keeper = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES)
        pipeline = Pipeline(Notes())
        tap = Tap(sink, lambda _: b"", counters, clock, worker="w", rows_per_s=100, key_salt=b"")
        rest = RestKeeper(clock, budget_bytes=0, idle_ttl_s=0.0, uses=keeper.uses)
        publisher = Publisher(
            pipeline,
            keeper,
            tap,
            rest,
            counters,
            ApplyDelay(counters, clock),
            introduce=lambda servable: servable.version.encode(),
            tell_watch=sink.send,
        )
        first, second = servable_of(tmp_path / "1", echo_model()), servable_of(tmp_path / "2", echo_model())
        routes = {"m": RouteDocument("m", 7, "1", "salt")}

        assert publisher.publish(routes, {("m", "1"): first}) == {"m": 7}
        assert publisher.publish(routes, {("m", "1"): first, ("m", "2"): second}) == {"m": 7}
        assert sink.frames == [b"1", b"2"]
        assert list(publisher.introductions()) == [b"1", b"2"]
        assert pipeline.table.find("m").stable_arm().servable is first

        publisher.publish(
            {"m": RouteDocument("m", 8, "2", "salt", updated_at="2026-01-02T03:04:05Z")}, {("m", "2"): second}
        )
        assert (sink.frames, list(publisher.introductions())) == ([b"1", b"2"], [b"2"])
        publisher.show_queues()
        assert counted(tmp_path / "counters", "weir_model_sessions", version="1") == 0
        assert counted(tmp_path / "counters", "weir_model_sessions", version="2") == 1
        keeper.close()

    (tmp_path / "counters").mkdir()
    asyncio.run(check())
