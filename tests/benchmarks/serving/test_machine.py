"""Whose CPU time it was."""

import os

import pytest

from benchmarks.serving.machine import CpuTimes, cpu_times, foreign_share, proportional_mb, server_pids, surviving


def test_foreign_is_what_neither_server_nor_generator_used_a_second() -> None:
    before = CpuTimes(at_s=10.0, busy_s=100.0, servers_s=5.0, generator_s=1.0)
    after = CpuTimes(at_s=12.0, busy_s=104.0, servers_s=6.5, generator_s=3.0)
    assert foreign_share(before, after) == pytest.approx(0.25)


def test_the_clocks_never_go_back() -> None:
    first, second = cpu_times(os.getsid(0)), cpu_times(os.getsid(0))
    assert second.at_s >= first.at_s
    assert second.busy_s >= first.busy_s
    assert second.generator_s >= first.generator_s


def test_the_processes_of_a_session_are_found_and_told_from_later_ones() -> None:
    found = server_pids(os.getsid(0))
    assert os.getpid() in found
    assert os.getpid() in surviving(found)
    assert surviving({os.getpid(): "0"}) == []


def test_anonymous_memory_is_a_part_of_all_and_what_has_ended_has_none() -> None:
    assert 0 < proportional_mb([os.getpid()], anonymous=True) < proportional_mb([os.getpid()])
    assert proportional_mb([2**22 + 1]) == 0
