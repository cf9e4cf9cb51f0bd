"""Page-Hinkley: River's decisions, for many streams at once."""

from typing import Any

import numpy as np
import pytest
from river.drift import PageHinkley as RiverPageHinkley

from monitors.detectors.page_hinkley import PageHinkley


@pytest.mark.parametrize("seed", range(4))
def test_it_decides_as_rivers_does_at_every_update(seed: int) -> None:
    x_ts = np.random.default_rng(seed).normal(0.5, 0.1, (1500, 3))
    x_ts[400:, 1] += 0.2
    x_ts[900:, 2] -= 0.1
    expected = []
    for stream in range(3):
        river: Any = RiverPageHinkley(threshold=1.0)
        for tick, x in enumerate(x_ts[:, stream].tolist()):
            river.update(x)
            expected += [(tick, stream)] if river.drift_detected else []
    found = PageHinkley(3).update_many(x_ts)
    assert found == sorted(expected)
    assert {stream for _, stream in found} >= {1, 2}


def test_the_statistic_is_there_to_read_when_it_fires() -> None:
    detector = PageHinkley(1)
    x_ts = np.r_[np.full(40, 0.5), np.full(10, 0.9)][:, None]
    (tick, _), *_ = detector.update_many(x_ts)
    again = PageHinkley(1)
    again.update_many(x_ts[: tick + 1])
    assert again.statistic[0] > again.threshold


@pytest.mark.parametrize("options", [{"minimum": 0}, {"delta": -1.0}, {"threshold": 0.0}, {"alpha": 0.0}])
def test_hyper_parameters_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        PageHinkley(1, **options)
