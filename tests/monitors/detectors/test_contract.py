"""What holds for every detector: those that come with Weir, and the one that the documentation shows."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from monitors.detectors.base import Detector, InvalidSignal, StateInvalid
from monitors.detectors.plug_ins import BUILT_IN, load_detector
from tests.monitors.detectors.example import NAME, load_example

Floats = npt.NDArray[np.float64]
DETECTED = {"adwin": (191, 0), "kswin": (163, 0), "page-hinkley": (153, 0), NAME: (150, 0)}
FALSE_ALARMS = {"adwin": 0, "kswin": 3, "page-hinkley": 0, NAME: 0}


@pytest.fixture(params=sorted({*BUILT_IN, NAME}))
def name(request: pytest.FixtureRequest) -> str:
    """Give the name of each detector."""
    return str(request.param)


@pytest.fixture
def kind(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Detector]:
    """Give the detector of the name."""
    return load_example(tmp_path, monkeypatch) if name == NAME else load_detector(name)


def means(seed: int, ticks: int, streams: int = 2) -> Floats:
    """Return tick means of unchanged data: positions of 400 rows a tick."""
    return np.asarray(np.random.default_rng(seed).uniform(size=(ticks, streams, 400)).mean(axis=2))


def moving(seed: int = 1) -> Floats:
    """Return tick means of which the first moves up by 0.3 at tick 150."""
    x_ts = means(seed, 220)
    x_ts[150:, 0] += 0.3
    return x_ts


def test_it_detects_at_exactly_these_ticks(name: str, kind: type[Detector]) -> None:
    assert kind(2).update_many(moving()) == [DETECTED[name]]


def test_so_many_false_alarms_on_a_long_stationary_stream(name: str, kind: type[Detector]) -> None:
    assert len(kind(1).update_many(means(2, 2_000, 1))) == FALSE_ALARMS[name]


def test_it_is_made_with_the_number_of_streams_alone_and_begins_cold(kind: type[Detector]) -> None:
    detector = kind(3)
    assert (detector.shape, detector.n_seen, detector.is_warm) == ((3,), 0, False)
    assert not detector.drift_detected.any()
    assert not detector.warning_detected.any()


@pytest.mark.parametrize("streams", [0, (), (3, 0)])
def test_no_stream_is_refused(kind: type[Detector], streams: int | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        kind(streams)


def test_what_is_read_has_the_shape_of_the_streams(kind: type[Detector]) -> None:
    detector = kind((2, 3))
    for x_s in means(3, 130, 6):
        detector.update(x_s.reshape(2, 3))
        for flags in (detector.drift_detected, detector.warning_detected):
            assert flags.shape == (2, 3)
            assert flags.dtype.kind == "b"
        assert detector.statistic.shape == (2, 3)
        assert np.isfinite(detector.statistic).all()
    assert (detector.n_seen, detector.is_warm) == (130, True)


def test_replicas_and_streams_are_the_same_as_so_many_streams(kind: type[Detector]) -> None:
    x_ts = means(4, 220, 4)
    x_ts[150:, 3] += 0.3
    flat, folded = kind(4).update_many(x_ts), kind((2, 2)).update_many(x_ts.reshape(-1, 2, 2))
    assert [(tick, stream // 2, stream % 2) for tick, stream in flat] == folded


def test_nothing_is_detected_before_it_is_warm(kind: type[Detector]) -> None:
    detector = kind(1)
    for x_s in np.tile(np.repeat([0.0, 1.0], 4), 100)[:, None]:
        detector.update(x_s)
        if detector.is_warm:
            break
        assert not detector.drift_detected.any()
    assert detector.is_warm


def test_a_detection_is_a_pulse(kind: type[Detector]) -> None:
    detector, x_ts = kind(2), moving()
    tick, _ = kind(2).update_many(x_ts)[0]
    detector.update_many(x_ts[: tick + 1])
    assert detector.drift_detected.tolist() == [True, False]
    kept = detector.drift_detected
    detector.update(x_ts[tick + 1])
    assert not detector.drift_detected.any()
    assert kept.any(), "a caller's array is its own"


def test_streams_do_not_disturb_each_other(kind: type[Detector]) -> None:
    x_ts = moving()
    alone = kind(1).update_many(x_ts[:, :1])
    x_ts[100:, 1] = 1.0
    assert [found for found in kind(2).update_many(x_ts) if found[1] == 0] == alone


def test_a_batch_of_updates_is_the_updates_one_by_one(kind: type[Detector]) -> None:
    detector, x_ts, found = kind(2), moving(), []
    for tick, x_s in enumerate(x_ts):
        detector.update(x_s)
        found += [(tick, stream) for stream in np.flatnonzero(detector.drift_detected).tolist()]
    assert kind(2).update_many(x_ts) == found


def test_reset_forgets_everything(kind: type[Detector]) -> None:
    detector = kind(2)
    first = detector.update_many(moving())
    detector.reset()
    assert (detector.n_seen, detector.is_warm, detector.statistic.tolist()) == (0, False, [0.0, 0.0])
    assert detector.update_many(moving()) == first


def test_it_continues_from_its_state_or_says_that_it_restarts_cold(kind: type[Detector]) -> None:
    x_ts, before = moving(), kind(2)
    before.update_many(x_ts[:120])
    after = kind(2)
    after.update_many(x_ts[:50])
    after.from_state(before.state())
    if kind.restarts_cold:
        assert (before.state(), after.n_seen) == ({}, 0)
        return
    assert after.n_seen == 120
    assert after.update_many(x_ts[120:]) == before.update_many(x_ts[120:])
    assert after.statistic.tobytes() == before.statistic.tobytes()


def test_its_state_is_plain_numbers_that_are_its_own(kind: type[Detector]) -> None:
    detector = kind(2)
    detector.update_many(means(5, 40))
    state = detector.state()
    text = json.dumps({key: np.asarray(value).tolist() for key, value in state.items()})
    detector.update_many(means(6, 40))
    assert json.dumps({key: np.asarray(value).tolist() for key, value in state.items()}) == text


def test_a_state_of_something_else_is_refused_and_changes_nothing(kind: type[Detector]) -> None:
    if kind.restarts_cold:
        return
    detector = kind(2)
    detector.update_many(means(5, 40))
    for wrong in ({}, kind(3).state(), {**detector.state(), "n_seen": -1}, {**detector.state(), "more": 1}):
        with pytest.raises(StateInvalid):
            detector.from_state(wrong)
    assert detector.n_seen == 40


@pytest.mark.parametrize("x_s", [np.array([1.0]), np.array([1.0, np.nan]), np.array([np.inf, 0.0]), np.ones((1, 2))])
def test_a_signal_that_is_none_is_refused_and_changes_nothing(kind: type[Detector], x_s: Floats) -> None:
    detector = kind(2)
    with pytest.raises(InvalidSignal):
        detector.update(x_s)
    assert detector.n_seen == 0


def test_two_of_them_on_one_stream_agree_whatever_the_global_random_state(kind: type[Detector]) -> None:
    x_ts = moving(7)
    first = kind(2).update_many(x_ts)
    np.random.seed(3)  # the state that a detector must not use
    assert kind(2).update_many(x_ts) == first


def test_memory_does_not_grow_with_the_stream(kind: type[Detector]) -> None:
    detector, x_ts = kind(1), means(8, 340, 1)
    detector.update_many(x_ts[:140])
    tracemalloc.start()
    detector.update_many(x_ts[140:])
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 50_000
