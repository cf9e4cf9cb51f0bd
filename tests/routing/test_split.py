"""The split of keys over buckets."""

from collections import Counter
from itertools import pairwise

from gateway.routing.document import FULL_BP
from gateway.routing.split import bucket, key_hash


def test_buckets_are_stable_over_processes_and_releases() -> None:
    assert [bucket(b"salt", key) for key in ("", "user-1", "ü", "\ud800")] == [649, 9628, 1898, 9401]


def test_keys_spread_evenly_over_the_buckets() -> None:
    tenths = Counter(bucket(b"salt", f"user-{i}") * 10 // FULL_BP for i in range(20_000))
    assert sorted(tenths) == list(range(10))
    assert all(1_800 < count < 2_200 for count in tenths.values())


def test_another_salt_draws_other_keys() -> None:
    first = {i for i in range(10_000) if bucket(b"a", str(i)) < 1_000}
    second = {i for i in range(10_000) if bucket(b"b", str(i)) < 1_000}
    assert 50 < len(first & second) < 160


def test_hashes_have_64_bits_and_take_a_salt_of_64_bytes() -> None:
    assert 2**48 < key_hash(b"s" * 64, "key") < 2**64


def test_a_rising_weight_only_adds_keys_and_moves_none_back() -> None:
    keys = {f"user-{i}": bucket(b"salt", f"user-{i}") for i in range(10_000)}
    weights_bp = (100, 500, 2_500, 5_000)
    arms = [{key for key, found in keys.items() if found < weight_bp} for weight_bp in weights_bp]
    assert all(before < after for before, after in pairwise(arms))
    assert all(abs(len(arm) - weight_bp) < 200 for arm, weight_bp in zip(arms, weights_bp, strict=True))
