"""Each client has its bucket; nobody's asking makes the table grow or takes a token of another."""

import pytest

from gateway.admission.quotas import Quotas


def admitted(quotas: Quotas, client: bytes, times: list[float]) -> list[bool]:
    return [quotas.take(client, now_s) == 0.0 for now_s in times]


def test_a_burst_then_the_rate() -> None:
    quotas = Quotas(requests_per_s=10.0, burst=3)
    assert admitted(quotas, b"a", [0.0] * 5) == [True, True, True, False, False]
    assert admitted(quotas, b"a", [0.11, 0.11, 0.21]) == [True, False, True]


def test_a_refused_client_is_told_when_a_token_will_be_there() -> None:
    quotas = Quotas(requests_per_s=2.0, burst=1)
    assert [quotas.take(b"a", 5.0), quotas.take(b"a", 5.0), quotas.take(b"a", 5.3)] == pytest.approx([0.0, 0.5, 0.2])
    assert quotas.take(b"a", 5.5) == 0.0


def test_being_refused_costs_nothing() -> None:
    quotas = Quotas(requests_per_s=1.0, burst=1)
    assert admitted(quotas, b"a", [0.0, *[0.5] * 1_000, 1.0]) == [True, *[False] * 1_000, True]


def test_looking_takes_nothing() -> None:
    quotas = Quotas(requests_per_s=2.0, burst=1, overrides={b"free": 0.0})
    assert [quotas.wait_s(b"a", 10.0) <= 0.0 for _ in range(3)] == [True] * 3
    assert quotas.take(b"a", 10.0) == 0.0
    assert quotas.wait_s(b"a", 10.0) == 0.5
    assert quotas.wait_s(b"free", 10.0) == 0.0


def test_in_the_long_run_a_client_gets_its_rate_and_no_more() -> None:
    quotas = Quotas(requests_per_s=50.0, burst=20)
    assert sum(admitted(quotas, b"a", [n / 1000 for n in range(10_000)])) == pytest.approx(520, abs=1)


def test_clients_do_not_share_a_bucket() -> None:
    quotas = Quotas(requests_per_s=1.0, burst=1)
    assert admitted(quotas, b"a", [0.0, 0.0]) == [True, False]
    assert admitted(quotas, b"b", [0.0]) == [True]


def test_a_dear_request_takes_more_and_one_beyond_the_burst_leaves_a_debt() -> None:
    quotas = Quotas(requests_per_s=1.0, burst=4)
    assert [quotas.take(b"a", 0.0, 3.0), quotas.take(b"a", 0.0, 2.0)] == [0.0, 1.0]
    assert [quotas.take(b"b", 0.0, 10.0), quotas.take(b"b", 0.0)] == [0.0, 7.0]


def test_a_known_client_has_its_own_rate() -> None:
    quotas = Quotas(requests_per_s=1.0, burst=1, overrides={b"fast": 1000.0, b"free": 0.0})
    assert admitted(quotas, b"fast", [0.0, 0.001, 0.002]) == [True] * 3
    assert admitted(quotas, b"free", [0.0] * 100) == [True] * 100


def test_without_a_rate_nobody_is_refused() -> None:
    assert Quotas(requests_per_s=0.0, burst=1).is_off
    assert not Quotas(requests_per_s=0.0, burst=1, overrides={b"a": 1.0}).is_off
    assert admitted(Quotas(requests_per_s=0.0, burst=1), b"a", [0.0] * 3) == [True] * 3


def test_the_client_that_asked_longest_ago_is_forgotten_first() -> None:
    quotas = Quotas(requests_per_s=0.001, burst=1, clients=2)
    assert admitted(quotas, b"a", [0.0]) == admitted(quotas, b"b", [1.0]) == admitted(quotas, b"c", [2.0]) == [True]
    assert admitted(quotas, b"b", [3.0]) == admitted(quotas, b"c", [3.0]) == [False]
    assert admitted(quotas, b"a", [3.0]) == [True]


def test_a_host_that_changes_its_address_gains_a_full_bucket_and_takes_nothing_from_others() -> None:
    quotas = Quotas(requests_per_s=1.0, burst=2, clients=100)
    assert admitted(quotas, b"steady", [0.0, 0.0, 0.0]) == [True, True, False]
    for n in range(10_000):
        quotas.take(b"%d" % n, 0.1)
    assert admitted(quotas, b"steady", [0.2]) == [True]
