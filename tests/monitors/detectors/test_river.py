"""River's detectors under the contract: what they add to it."""

from typing import Any

import numpy as np
import pytest
from river.drift import ADWIN, KSWIN

from monitors.detectors.river import RiverAdwin, RiverKswin


def stream(seed: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return two streams, the first of which moves up at 300 and down at 700."""
    x_ts = np.random.default_rng(seed).normal(0.0, 1.0, (1000, 2))
    x_ts[300:700, 0] += 3.0
    return x_ts


def alone(detector: Any, x_t: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[int]:
    """Return when River's own detector speaks."""
    found = []
    for i, x in enumerate(x_t.tolist()):
        detector.update(x)
        found += [i] if detector.drift_detected else []
    return found


def test_adwin_sees_both_directions_at_exactly_these_updates() -> None:
    assert RiverAdwin(2).update_many(stream(1)) == [(308, 0), (710, 0)]


def test_adwin_is_rivers() -> None:
    x_ts = stream(3)
    assert RiverAdwin(1, clock=32).update_many(x_ts[:, :1]) == [(t, 0) for t in alone(ADWIN(), x_ts[:, 0])]  # type: ignore[no-untyped-call]  # untyped in River


def test_kswin_is_rivers_with_a_seed_for_each_stream() -> None:
    x_ts = stream(3)[:450]
    found = RiverKswin(2, seed=5).update_many(x_ts)
    assert [t for t, s in found if s == 0] == alone(KSWIN(seed=5), x_ts[:, 0])
    assert [t for t, s in found if s == 1] == alone(KSWIN(seed=6), x_ts[:, 1])


def test_nothing_is_detected_in_the_grace_period() -> None:
    detector = RiverAdwin(1, grace_period=30)
    assert detector.update_many(np.array([[0.0]] * 10 + [[9.0]] * 10)) == []
    assert not detector.is_warm


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param(RiverAdwin, {"delta": 0.0}, id="no significance"),
        pytest.param(RiverAdwin, {"delta": 1.0}, id="always significant"),
        pytest.param(RiverAdwin, {"clock": 0}, id="no clock"),
        pytest.param(RiverAdwin, {"grace_period": 0}, id="no grace"),
        pytest.param(RiverKswin, {"alpha": 0.0}, id="no alpha"),
        pytest.param(RiverKswin, {"stat_size": 60}, id="a window that cannot hold both samples"),
    ],
)
def test_hyper_parameters_are_checked(kind: Any, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(1, **options)
