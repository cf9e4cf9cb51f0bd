from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from monitors.drift_monitor import DriftMonitor
from monitors.evidence.rows import Rows
from monitors.evidence.ticks import Ticks
from monitors.given import given_rows, require_reference, seconds_of
from monitors.records import FeatureSchema, OutputSchema

AGE = FeatureSchema("age", "number", "float64")
YES_NO = OutputSchema("classification", ("no", "yes"))
HALVES = np.full((3, 2), 0.5)


@pytest.fixture(scope="module")
def unanswered() -> DriftMonitor:
    return DriftMonitor.fit({"age": np.arange(60.0)}, ticks=Ticks(10, seconds=1.0))


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        pytest.param({"scores": HALVES}, "the reference had no answers: leave scores and labels out", id="scores"),
        pytest.param({"labels": [0, 0, 0]}, "the reference had no answers", id="labels"),
        pytest.param({"times_s": [1.0, 2.0]}, "3 numbers of seconds or datetime64, one a row", id="few times"),
        pytest.param({"times_s": [[1.0], [2.0], [3.0]]}, r"of shape \(3, 1\)", id="times of two axes"),
        pytest.param({"times_s": ["1", "2", "3"]}, "found <U1", id="times as text"),
        pytest.param({"times_s": np.array(["NaT"] * 3, "M8[s]")}, "a finite time for each", id="no times"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_whole(
    unanswered: DriftMonitor, answers: Mapping[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        unanswered.update({"age": [1.0, 2.0, 3.0]}, **answers)
    assert unanswered.rows_seen == 0


def test_a_batch_whose_times_run_far_back_is_refused_whole() -> None:
    monitor = DriftMonitor.fit({"age": np.arange(60.0)}, ticks=Ticks(10, seconds=1.0))
    times = np.arange(5_000.0) + 1e6
    monitor.update({"age": np.zeros(5_000)}, times_s=times)
    monitor.update({"age": [1.0]}, times_s=[times[-1] - 7_200.0])
    times[4_500] -= 1e6
    with pytest.raises(
        ValueError, match="row 4500 of 5000 is of 4500 s, after one of 1004999 s: give rows in the order"
    ):
        monitor.update({"age": np.zeros(5_000)}, times_s=times)
    assert monitor.rows_seen == 5_001


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        pytest.param(Rows([[1.0]]), "values of rows are an array of numbers, not list", id="list"),  # type: ignore[arg-type]  # a user's mistake
        pytest.param(Rows(np.array([["a"]], dtype=object)), "an array of numbers, not object", id="objects"),
        pytest.param(Rows(np.ones((3, 1)), HALVES[:2]), "one length: {'values': 3, 'scores': 2}", id="lengths"),
    ],
)
def test_rows_that_are_no_arrays_of_one_length_are_refused(rows: Rows, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        given_rows(rows, [AGE], None, None)


def test_answers_beside_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"give scores and labels as Rows\(values, scores, labels\)"):
        given_rows(Rows(np.ones((3, 1))), [AGE], HALVES, None)


@pytest.mark.parametrize(
    ("scores", "labels", "output", "complaint"),
    [
        pytest.param(HALVES, None, OutputSchema("tensor"), "output says nothing of them: give both", id="no output"),
        pytest.param(None, None, YES_NO, "a classification needs scores or labels", id="no answers"),
        pytest.param(None, np.array([0, 1, 2]), YES_NO, "labels are 0 to 2, for 2 classes", id="a class too many"),
        pytest.param(
            np.full((3, 3), 1 / 3),
            None,
            YES_NO,
            r"scores of shape \(3, 3\), expected 2 columns",
            id="a column too many",
        ),
        pytest.param(HALVES, None, OutputSchema("regression"), r"shape \(3, 2\), expected 1 columns", id="two values"),
        pytest.param(HALVES * np.nan, None, YES_NO, "no answer of the reference is probabilities", id="all broken"),
        pytest.param(HALVES[:, :1] * np.nan, None, OutputSchema("regression"), "is a finite value", id="no value"),
    ],
)
def test_a_reference_whose_answers_are_not_those_of_its_output_is_refused(
    scores: np.ndarray | None, labels: np.ndarray | None, output: OutputSchema, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        require_reference(Rows(np.ones((3, 1)), scores, labels), [AGE], output)


def test_features_named_twice_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features named twice: \['age'\]"):
        require_reference(Rows(np.ones((3, 2))), [AGE, AGE], OutputSchema("tensor"))


def test_labels_that_the_reference_had_are_asked_for() -> None:
    monitor = DriftMonitor.fit({"age": np.arange(60.0)}, labels=np.arange(60) % 2, output=YES_NO)
    with pytest.raises(ValueError, match="the reference had labels and no scores: give labels"):
        monitor.update({"age": [1.0]})


@pytest.mark.parametrize("unit", ["s", "ms", "ns", "m"])
def test_times_of_any_unit_are_seconds(unit: str) -> None:
    times = np.array(["2026-01-31T12:00", "2026-01-31T12:01"], dtype="M8[m]").astype(f"M8[{unit}]")
    assert seconds_of(times, 2).tolist() == [1_769_860_800.0, 1_769_860_860.0]
