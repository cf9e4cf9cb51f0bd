"""A worker's tripwire: fair while canary and stable are alike, however many look, and quick where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rollout.tripwire import alike, harmed
from monitors.trials.budget import ALPHA, SHARES, tripwire_level
from monitors.trials.tripwire import KeyTripwire

STEP = 10_007
"""From key to key: all buckets are met, and then all cells."""


def trips_at(tripwire: KeyTripwire, *, most: int = 50) -> int | None:
    """Let the canary fail the first request of one of its keys after the other; return how many it took."""
    for key in range(most):
        tripwire.see(10_000 * key)
        if tripwire.fail(10_000 * key, by_candidate=True):
            return key + 1
    return None


def tripwire_of(weight_bp: int, workers: int = 4) -> KeyTripwire:
    tripwire = KeyTripwire(workers)
    tripwire.reset(weight_bp)
    return tripwire


def test_the_level_is_the_number_of_workers_over_their_share() -> None:
    share = ALPHA * SHARES["tripwires"]
    assert np.exp(-tripwire_level(1)) == pytest.approx(share / 2)
    assert np.exp(tripwire_level(8) - tripwire_level(2)) == pytest.approx(4.0)
    spent = sum(3 * np.exp(-tripwire_level(3, beginnings)) for beginnings in range(10_000))
    assert spent == pytest.approx(share, rel=1e-3)
    with pytest.raises(ValueError, match="at least 1"):
        tripwire_level(0)


def test_more_workers_ask_for_more_evidence() -> None:
    found = [trips_at(tripwire_of(500, workers)) for workers in (1, 4, 1_000)]
    assert found == [5, 5, 8]


def test_a_canary_without_a_stable_arm_is_given_up_by_what_stable_answered_for_it() -> None:
    assert trips_at(tripwire_of(10_000)) == 9


def test_a_key_counts_once() -> None:
    tripwire = tripwire_of(500)
    tripwire.see(7)
    tripwire.fail(7, by_candidate=True)
    before = tripwire.nats
    assert before > 1.0
    for _ in range(100):
        tripwire.see(7)
        assert not tripwire.fail(7, by_candidate=True)
    assert tripwire.nats == before


def test_a_failure_that_belongs_to_another_route_counts_for_nothing() -> None:
    tripwire = tripwire_of(500)
    tripwire.see(7)
    before = tripwire.nats
    assert not tripwire.fail(8, by_candidate=True)
    assert not tripwire.fail(7, by_candidate=False)
    assert not tripwire.fail(700, by_candidate=True)
    assert tripwire.nats == before


def test_failures_of_stable_speak_for_the_canary_once_a_key() -> None:
    tripwire = tripwire_of(500)
    for _ in range(10):
        for key in range(500, 520):
            assert not tripwire.fail(key, by_candidate=False)
    assert trips_at(tripwire) == 9


def test_keys_that_fail_later_than_at_once_are_no_evidence_without_a_stable_arm() -> None:
    tripwire = tripwire_of(10_000)
    for key in range(200):
        tripwire.see(key * STEP)
        tripwire.see(key * STEP)
        assert not tripwire.fail(key * STEP, by_candidate=True)


def test_a_new_route_begins_anew_and_costs_evidence_only_where_something_was_seen() -> None:
    tripwire = tripwire_of(500)
    for _ in range(1_000):
        tripwire.reset(500)
    assert trips_at(tripwire) == 5
    tripwire.reset(500)
    assert tripwire.nats == pytest.approx(0.0)
    assert trips_at(tripwire) == 6


@settings(max_examples=30, deadline=None)
@given(
    weight_bp=st.sampled_from([1, 100, 5_000, 9_900]),
    failing=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**32),
)
def test_the_arms_of_failing_keys_drawn_by_the_hash_are_no_evidence(weight_bp: int, failing: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tripwire = tripwire_of(weight_bp, workers=1_000)
    for hashed in rng.integers(0, 2**63, 400).tolist():
        is_canarys = hashed % 10_000 < weight_bp
        if is_canarys:
            tripwire.see(hashed)
        if rng.random() < failing:
            is_repeated = is_canarys and rng.random() < failing
            assert is_repeated or not tripwire.fail(hashed, by_candidate=is_canarys)


def test_half_of_all_first_requests_mended_is_more_than_chance_explains_and_a_quarter_is_not() -> None:
    rng = np.random.default_rng(3)
    given_up = {}
    for chance in (0.25, 0.6):
        found = 0
        for _ in range(100):
            tripwire = tripwire_of(10_000)
            for key in range(150):
                tripwire.see(key * STEP)
                if rng.random() < chance and tripwire.fail(key * STEP, by_candidate=True):
                    found += 1
                    break
        given_up[chance] = found
    assert given_up[0.25] == 0
    assert given_up[0.6] > 95


def test_four_workers_do_not_give_up_an_equal_canary() -> None:
    assert sum(given_up for _, given_up in alike(first=10_000, rollouts=2)) == 0


@pytest.mark.parametrize(
    ("failing", "weight_bp", "most"),
    [(1.0, 500, 10), (1.0, 5_000, 20), (0.3, 500, 120), (0.3, 5_000, 160)],
)
def test_four_workers_give_up_a_bad_one_within_some_keys(failing: float, weight_bp: int, most: int) -> None:
    found = harmed(failing, weight_bp, seed=1)
    assert len(found) == 4
    assert max(found) <= most
