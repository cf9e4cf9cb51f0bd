"""Failed sign-ins: how many are free, when the next one is heard, and what is remembered."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import Request

from gateway.errors import CredentialsInvalid, CredentialsMissing, SignInThrottled
from gateway.http.auth import BearerToken
from gateway.http.sign_in_throttle import SignInThrottle
from gateway.metrics.shared import SharedCounters
from tests.serving import HandClock, counted


class Door:
    """A token check with three free failures, one forgotten every ten seconds, and room for two addresses."""

    def __init__(self, directory: Path) -> None:
        self.clock, self._directory = HandClock(), directory
        self.counters = SharedCounters.create(directory, "w", role="worker")
        throttle = SignInThrottle(self.clock, self.counters, burst=3, forget_one_s=10.0, addresses=2)
        self._check = BearerToken("right", throttle=throttle)

    def __call__(self, authorization: str, address: str = "10.0.0.1") -> str:
        headers = [(b"authorization", authorization.encode("ascii"))]
        return self._check(Request({"type": "http", "headers": headers, "client": (address, 1)})).subject

    def fail(self, times: int, address: str = "10.0.0.1") -> None:
        for _ in range(times):
            with pytest.raises(CredentialsInvalid):
                self("Bearer wrong", address)

    def wait_s(self, address: str = "10.0.0.1") -> int:
        with pytest.raises(SignInThrottled) as told:
            self("Bearer wrong", address)
        return told.value.retry_after_s

    def refused(self, reason: str) -> float:
        return counted(self._directory, "weir_sign_ins_refused_total", reason=reason)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.counters.close()


def test_after_the_free_failures_an_address_waits_and_others_do_not(door: Door) -> None:
    door.fail(3)
    assert door.wait_s() == 10
    assert door("Bearer right", "10.0.0.2") == "admin"
    assert (door.refused("invalid"), door.refused("throttled")) == (3.0, 1.0)


def test_the_right_token_always_passes(door: Door) -> None:
    door.fail(3)
    assert door.wait_s() == 10
    assert door("Bearer right") == "admin"
    assert door.wait_s() == 10


def test_one_failure_is_forgotten_at_a_time(door: Door) -> None:
    door.fail(3)
    door.clock.now_s += 4.0
    assert door.wait_s() == 6
    door.clock.now_s += 6.0
    door.fail(1)
    assert door.wait_s() == 10


def test_being_refused_does_not_make_the_wait_longer(door: Door) -> None:
    door.fail(3)
    assert [door.wait_s() for _ in range(5)] == [10] * 5


def test_success_and_missing_credentials_cost_nothing(door: Door) -> None:
    for _ in range(10):
        assert door("Bearer right") == "admin"
        with pytest.raises(CredentialsMissing):
            door("Basic abc")
    door.fail(3)


def test_addresses_of_one_ipv6_network_are_one(door: Door) -> None:
    for host in "123":
        door.fail(1, f"2001:db8::{host}")
    assert door.wait_s(address="2001:db8::ffff:1") == 10
    door.fail(1, "2001:db8:0:1::1")


def test_the_address_that_failed_longest_ago_is_forgotten_first(door: Door) -> None:
    door.fail(3, "10.0.0.1")
    door.fail(3, "10.0.0.2")
    door.fail(3, "10.0.0.3")
    assert door.wait_s(address="10.0.0.2") == 10
    door.fail(1, "10.0.0.1")
