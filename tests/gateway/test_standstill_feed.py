"""How late the loop is called says how long it stood still."""

from __future__ import annotations

from gateway.standstill_feed import StandstillFeed
from monitors.records import Standstill
from monitors.transport.frames import decode_frame, encode_frame
from tests.serving import HandClock, ListSink


def told_after(*pauses_s: float) -> list[object]:
    sink, clock = ListSink(), HandClock(1_000.0)
    feed = StandstillFeed(sink, encode_frame, clock, worker="w", every_s=0.125)
    for pause_s in pauses_s:
        clock.now_s += pause_s
        feed.tick()
    return [decode_frame(frame) for frame in sink.frames]


def test_a_loop_that_turns_tells_nothing() -> None:
    assert told_after(0.125, 0.125, 0.21875) == []


def test_a_loop_that_stood_still_tells_since_when_it_was_due() -> None:
    assert told_after(0.125, 1.125) == [Standstill("w", 1_000.25, 1_001.25)]


def test_a_version_that_waited_for_its_thread_is_told_with_when_that_was() -> None:
    sink, clock = ListSink(), HandClock(1_000.0)
    StandstillFeed(sink, encode_frame, clock, worker="w", every_s=0.125).keep("fraud", "2", 0.5, 0.25)
    assert [decode_frame(frame) for frame in sink.frames] == [Standstill("w", 999.25, 999.75, "fraud", "2")]


def test_a_host_without_cores_does_not_flood_the_watch() -> None:
    sink, clock = ListSink(), HandClock(1_000.0)
    feed = StandstillFeed(sink, encode_frame, clock, worker="w", every_s=0.125)
    for _ in range(2):
        for _ in range(100):
            feed.keep("fraud", "2", 0.5)
        feed.tick()
    assert len(sink.frames) == 128


def test_each_standstill_is_told_once() -> None:
    assert len(told_after(0.5, 0.125, 0.5)) == 2
