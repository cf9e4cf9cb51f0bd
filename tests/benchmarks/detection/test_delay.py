import numpy as np
import pytest

from benchmarks.detection.contestants import WEIR, weir_paths
from benchmarks.detection.delay import AT_10_000_ROWS, REFERENCE_ROWS, Delay, calibrated, nearest
from benchmarks.detection.streams import Stream, synthetic_streams

WITHIN_ROWS = {
    "mean": 150,
    "spread": 150,
    "tail": 300,
    "mixture": 500,
    "category swap": 250,
    "unseen category": 250,
    "2 % missing": 450,
    "10 % missing": 160,
    "frozen": 10,
    "unit change": 30,
    "correlation flip": 40,
    "gradual": 700,
}


@pytest.mark.parametrize("stream", [s for s in synthetic_streams() if s.name in WITHIN_ROWS], ids=lambda s: s.name)
def test_a_change_is_found_in_time_at_the_promise_of_10_000_rows(stream: Stream) -> None:
    rng = np.random.default_rng(8)
    paths = weir_paths(stream, stream.before(rng, REFERENCE_ROWS))
    rows = stream.after(rng, 1000, np.arange(1000.0))
    delay = 10 * (int((paths(rows, 1)[0] >= 1000.0).argmax()) + 1)
    assert 10 <= delay <= WITHIN_ROWS[stream.name], WEIR


def test_a_threshold_is_calibrated_to_the_run_length_asked_for() -> None:
    paths = np.random.default_rng(0).exponential(size=(50, 1200))
    threshold, run_length = calibrated(paths)
    assert threshold == pytest.approx(np.log(1000.0), abs=0.4)
    assert run_length >= 10_000


def _delay(contestant: str, mean_delay: float, run_length: float | None = 10_000.0) -> Delay:
    return Delay("mean", contestant, run_length, mean_delay, mean_delay, 0, 24, 0, 288_000)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([_delay(WEIR, 90.0), _delay("KS", 100.0), _delay("CVM", 150.0), _delay("PSI", 151.0)], (WEIR, "KS", "CVM")),
        ([_delay(WEIR, 89.0), _delay("KS", 100.0)], ()),
        ([_delay(WEIR, 120.0), _delay("KS", 100.0)], (WEIR, "KS")),
        ([_delay(WEIR, 95.0), _delay("KS", 100.0, run_length=5_000.0), _delay("PSI", 300.0)], ()),
        ([_delay(WEIR, 95.0), _delay(AT_10_000_ROWS, 100.0, run_length=None)], ()),
        ([_delay("KS", 100.0)], ()),
    ],
)
def test_where_a_peer_that_alarms_as_rarely_is_near_those_that_may_be_best_are_run_more_often(
    found: list[Delay], names: tuple[str, ...]
) -> None:
    assert nearest(found) == names
