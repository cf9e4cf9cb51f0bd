"""Sampling of rows at a limited rate."""

import pytest

from gateway.sampling import RateSampler


def test_everything_is_kept_below_the_limit() -> None:
    sampler = RateSampler(10, seed=1)
    assert [sampler.keep(3, now_s=second + 0.5) for second in range(20)] == [3] * 20
    assert sampler.ratio == 1.0


def test_no_second_keeps_more_than_the_limit() -> None:
    sampler = RateSampler(100, seed=1)
    for second in range(5):
        kept = sum(sampler.keep(7, now_s=second + i / 1000) for i in range(1000))
        assert kept <= 100


def test_steady_traffic_above_the_limit_is_sampled_evenly_and_its_rate_is_known() -> None:
    sampler = RateSampler(100, seed=1)
    kept_at: list[int] = []
    for second in range(40):
        kept_at += [i for i in range(1000) if sampler.keep(1, now_s=second + i / 1000) and second > 0]
        if second > 1:
            assert 0.07 <= sampler.ratio <= 0.1
    assert sum(i < 500 for i in kept_at) / len(kept_at) == pytest.approx(0.5, abs=0.06)


def test_a_burst_is_cut_off_and_shown() -> None:
    sampler = RateSampler(10, seed=1)
    assert sum(sampler.keep(1, now_s=5.0) for _ in range(1000)) == 10
    sampler.keep(1, now_s=6.0)
    assert sampler.ratio == 0.01


def test_a_second_that_kept_nothing_counts_at_the_rate_at_which_it_was_sampled() -> None:
    sampler = RateSampler(10, seed=1)
    assert sum(sampler.keep(1, now_s=5.0) for _ in range(1000)) == 10
    assert [sampler.keep(1, now_s=now_s) for now_s in (6.0, 7.0)] == [0, 1]
    assert sampler.ratio == 0.01


def test_a_request_is_kept_in_part_where_the_allowance_ends() -> None:
    sampler = RateSampler(10, seed=1)
    assert [sampler.keep(8, now_s=0.0), sampler.keep(8, now_s=0.1), sampler.keep(8, now_s=0.2)] == [8, 2, 0]


def test_a_limit_of_nothing_keeps_nothing_and_a_negative_one_is_refused() -> None:
    sampler = RateSampler(0, seed=1)
    assert [(sampler.keep(1, now_s=now_s), sampler.ratio) for now_s in (0.0, 1.0, 2.0)] == [(0, 0.0)] * 3
    with pytest.raises(ValueError, match="must not be negative, found -1"):
        RateSampler(-1, seed=1)


def test_a_clock_that_is_set_back_starts_another_second() -> None:
    sampler = RateSampler(1, seed=1)
    assert [sampler.keep(1, now_s=now_s) for now_s in (9.0, 3.0)] == [1, 1]


def test_passing_over_several_is_passing_over_each_or_none() -> None:
    one, other = RateSampler(20, seed=3), RateSampler(20, seed=3)
    for i in range(1_000):
        now_s = i / 200
        if not one.passes_over(5, now_s, requests=5):
            one.pick((1,) * 5, now_s)
        other.pick((1,) * 5, now_s)
    assert one.keep(1, now_s=9.0) == other.keep(1, now_s=9.0)
    assert one.ratio == other.ratio < 0.021


def test_passing_over_is_what_keeping_nothing_is() -> None:
    one, other = RateSampler(20, seed=3), RateSampler(20, seed=3)
    for i in range(5_000):
        now_s = i / 1000
        kept = 0 if one.passes_over(1, now_s) else one.keep(1, now_s)
        [found] = [kept for _, kept in other.pick((1,), now_s)] or [0]
        assert kept == found
    assert one.ratio == other.ratio < 0.021
