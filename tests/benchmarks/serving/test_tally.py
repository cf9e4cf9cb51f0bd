"""Percentiles and problem names."""

import numpy as np
import pytest

from benchmarks.serving.tally import percentiles_ms, problem_of


def test_percentiles_are_those_of_the_sorted_values_in_milliseconds() -> None:
    latencies_s = np.random.default_rng(1).permutation(np.arange(101) / 1000).tolist()
    assert percentiles_ms(latencies_s, 0, 50, 99, 100) == pytest.approx([0.0, 50.0, 99.0, 100.0])


def test_one_latency_is_every_percentile_and_none_is_not_a_number() -> None:
    assert percentiles_ms([0.002], 1, 99) == pytest.approx([2.0, 2.0])
    assert np.isnan(percentiles_ms([], 50, 99)).all()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(b'{"type": "urn:weir:problem:queue-full"}', "503 queue-full", id="type"),
        pytest.param(b'{"type":"urn:weir:problem:x","reason": "lag"}', "503 x (lag)", id="reason"),
        pytest.param(b"busy", "503", id="neither"),
        pytest.param(b"", "503", id="nothing"),
    ],
)
def test_a_problem_is_named_by_status_type_and_reason(body: bytes, name: str) -> None:
    assert problem_of(503, body) == name
