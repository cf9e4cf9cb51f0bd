"""The heartbeat through a real pipe, and the pulse with a clock of its own."""

import os
from collections.abc import Iterator

import pytest

from gateway.heartbeat import Heartbeat, Pulse


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def first_hung(pulse: Pulse, *, start_s: float, every_s: float = 0.5, most_s: float = 200.0) -> float:
    """Ask again and again, and return when the answer is yes; infinity where it never is."""
    times = (start_s + i * every_s for i in range(1, int(most_s / every_s)))
    return next((now_s for now_s in times if pulse.is_hung(now_s)), float("inf"))


def test_beats_say_whether_the_worker_could_serve(pipe: tuple[int, int]) -> None:
    heartbeat, pulse = Heartbeat(pipe[1]), Pulse(1.0, now_s=0.0)
    for is_ready in (None, True, False):
        heartbeat.beat(is_ready=is_ready)
        pulse.note(os.read(pipe[0], 100), 0.0)
        assert pulse.is_ready is is_ready
    os.close(pipe[0])


def test_beating_never_waits_and_outlives_the_reader(pipe: tuple[int, int]) -> None:
    heartbeat = Heartbeat(pipe[1])
    for _ in range(70_000):
        heartbeat.beat(is_ready=True)
    os.close(pipe[0])
    heartbeat.beat(is_ready=True)


def test_a_worker_hangs_after_its_silence_and_not_while_it_beats() -> None:
    pulse = Pulse(10.0, now_s=0.0)
    for second in range(100):
        pulse.note(b"+", float(second))
        assert not pulse.is_hung(float(second))
    assert first_hung(pulse, start_s=99.0) == 109.5


def test_it_is_found_as_soon_as_its_silence_is_too_long() -> None:
    pulse, now_s, looks = Pulse(10.0, now_s=0.0), 3.3, 0
    pulse.note(b"+", now_s)
    while not pulse.is_hung(now_s):
        now_s, looks = now_s + pulse.look_again_s, looks + 1
    assert 13.3 < now_s < 13.31
    assert looks < 15


def test_the_first_beat_may_take_a_minute() -> None:
    assert first_hung(Pulse(1.0, now_s=0.0), start_s=0.0) == 60.5
    assert first_hung(Pulse(100.0, now_s=0.0), start_s=0.0) == 100.5


def test_time_in_which_the_supervisor_stood_still_too_is_no_silence() -> None:
    pulse = Pulse(10.0, now_s=0.0)
    pulse.note(b".", 0.0)
    assert not pulse.is_hung(1.0)
    assert not pulse.is_hung(10_000.0)
    assert first_hung(pulse, start_s=10_000.0) == 10_004.5
