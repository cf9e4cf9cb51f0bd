"""River's ADWIN under the contract."""

import numpy as np
import pytest

from monitors.detectors.base import InvalidSignal
from monitors.detectors.river import RiverAdwin


def stream(seed: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return two streams, the first of which moves up at 300 and down at 700."""
    x_ts = np.random.default_rng(seed).normal(0.0, 1.0, (1000, 2))
    x_ts[300:700, 0] += 3.0
    return x_ts


def test_detections_on_a_seeded_stream_are_exact() -> None:
    assert RiverAdwin(2, clock=1).update_many(stream(1)) == [(308, 0), (710, 0)]


def test_a_stationary_stream_is_silent() -> None:
    assert RiverAdwin(1, delta=1e-4).update_many(np.random.default_rng(2).normal(size=(5000, 1))) == []


def test_a_detection_is_a_pulse() -> None:
    detector = RiverAdwin(2, clock=1)
    x_ts = stream(1)
    (row, _), *_ = detector.update_many(x_ts[:309])
    assert detector.drift_detected.tolist() == [True, False]
    detector.update(x_ts[row + 1])
    assert not detector.drift_detected.any()


def test_nothing_is_detected_before_it_is_warm() -> None:
    detector = RiverAdwin(1, clock=1, grace_period=30)
    assert detector.update_many(np.array([[0.0]] * 10 + [[9.0]] * 10)) == []
    assert not detector.is_warm


def test_reset_forgets_everything() -> None:
    detector = RiverAdwin(2, clock=1)
    first = detector.update_many(stream(1))
    detector.reset()
    assert (detector.n_seen, detector.is_warm) == (0, False)
    assert detector.update_many(stream(1)) == first


@pytest.mark.parametrize("x_s", [np.array([1.0]), np.array([1.0, np.nan]), np.array([[1.0, 2.0]])])
def test_a_signal_that_is_none_is_refused(x_s: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> None:
    with pytest.raises(InvalidSignal):
        RiverAdwin(2).update(x_s)


@pytest.mark.parametrize("options", [{"delta": 0.0}, {"delta": 1.0}])
def test_hyper_parameters_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="delta"):
        RiverAdwin(1, **options)  # type: ignore[arg-type]  # the test gives only floats


def test_no_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="streams"):
        RiverAdwin(0)
