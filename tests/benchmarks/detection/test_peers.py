"""Peers that run many streams at once do what river's own objects do."""

from typing import Any

import numpy as np
import pytest
from river.drift import ADWIN, KSWIN, PageHinkley
from scipy.stats import ks_2samp  # type: ignore[import-untyped]  # SciPy ships no types

from benchmarks.detection.peers import (
    ADWIN_DELTAS,
    adwin_paths,
    ks_paths,
    kswin_paths,
    page_hinkley_paths,
    psi_paths,
)


def stream(seed: int, n: int = 600, change: int = 300) -> list[float]:
    values = np.random.default_rng(seed).normal(size=n)
    values[change:] += 1.5
    return [float(value) for value in values]


def first_alarm(detector: Any, values: list[float]) -> int:
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            return i
    raise AssertionError("no alarm")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_page_hinkley_alarms_when_rivers_does(seed: int) -> None:
    values = stream(seed)
    first = first_alarm(PageHinkley(threshold=20.0), values)
    path = page_hinkley_paths(np.array(values)[None, :, None], 0.005)[0]
    assert int((path > 20.0).argmax()) == first // 10


def test_a_stricter_adwin_fires_no_sooner() -> None:
    values = stream(3)
    path = adwin_paths(np.array(values)[None, :, None])[0]
    level = ADWIN_DELTAS.index(10.0**-2) + 1
    first = first_alarm(ADWIN(delta=10.0**-2), values)  # type: ignore[no-untyped-call]  # river has no types
    assert int((path >= level).argmax()) == first // 10
    assert (np.diff(path) >= 0).all()


def test_kswin_measures_the_p_value_of_rivers_test() -> None:
    """With a constant past, whatever is drawn from it is the same, so both test the same two samples."""
    values = [0.0] * 70 + stream(4, 30, 10)
    detector = KSWIN(alpha=0.5, seed=1)
    for value in values:
        detector.update(value)  # type: ignore[no-untyped-call]  # as above
    path = kswin_paths(np.array(values)[None, :, None])[0]
    assert path[-1] == pytest.approx(-np.log(detector.p_value))


def test_ks_windows_measure_the_distance_to_the_reference() -> None:
    rng = np.random.default_rng(5)
    reference, window = rng.normal(size=(20_000, 1)), rng.normal(0.4, 1.0, size=100)
    exact = ks_2samp(reference[:, 0], window).statistic
    assert ks_paths(window[None, :, None], reference, 100)[0, -1] == pytest.approx(exact, abs=0.02)


def test_psi_windows_see_missing_values_and_unknown_codes() -> None:
    rng = np.random.default_rng(6)
    reference = rng.integers(3, size=(5000, 1)).astype(float)
    quiet, loud = rng.integers(3, size=100).astype(float), rng.integers(4, size=100).astype(float)
    levels = psi_paths(np.stack([quiet, loud])[:, :, None], reference, 100)[:, -1]
    assert levels[0] < 0.1 < 0.5 < levels[1]
