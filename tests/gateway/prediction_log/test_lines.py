from dataclasses import replace

import numpy as np
import pytest

from gateway.prediction_log.lines import LogRecords, RecordRefused
from monitors.records import UNSEEN_CODE, FeatureSchema, OutputSchema
from tests.gateway.prediction_log.material import INFO, answers, masked


def records_of(**choices: tuple[str, ...]) -> LogRecords:
    records = LogRecords(salt=b"salt", **choices)
    records.learn(INFO)
    return records


def test_an_answer_is_told_in_the_words_of_its_contract() -> None:
    (found,) = records_of().answers(answers("r"))
    assert found["features"] == {"width": 1.5, "count": 3, "colour": "green"}
    assert (found["label"], found["scores"]) == ("bad", {"good": 0.25, "bad": 0.75})
    assert (found["time"], found["key_hash"]) == ("2026-01-31T12:00:00.000000Z", "00000000000000ff")
    assert (found["flags"], found["route_revision"], found["sampled_ratio"]) == (("fallback",), 7, 0.5)
    assert (found["model"], found["version"], found["digest"], found["variant"]) == ("m", "1", "sha256:ab", "stable")


def test_missing_and_unseen_values_are_told_apart() -> None:
    (found,) = records_of().answers(answers("r", values=(np.nan, np.nan, UNSEEN_CODE)))
    assert found["features"] == {"width": None, "count": None, "colour": None}
    assert found["unseen"] == ("colour",)


def test_free_text_is_not_known() -> None:
    records = records_of()
    text = FeatureSchema("colour", "category", "string")
    records.learn(replace(INFO, features=(*INFO.features[:2], text)))
    (found,) = records.answers(answers("r", values=(1.0, 1.0, 0.0)))
    assert found["features"]["colour"] is None
    assert found["unseen"] == ()


def test_a_redacted_feature_leaves_no_trace() -> None:
    (found,) = records_of(redact=("colour",)).answers(answers("r", values=(1.0, 1.0, UNSEEN_CODE)))
    assert "colour" not in str(found)


def test_redacting_every_feature_leaves_the_answer() -> None:
    (found,) = records_of(redact=("width", "count", "colour")).answers(answers("r"))
    assert (found["features"], found["label"]) == ({}, "bad")


def test_a_hashed_feature_is_equal_where_the_value_is_and_under_no_other_salt() -> None:
    records = records_of(hashed=("width", "colour"))
    (a,), (b,) = (records.answers(answers(name)) for name in "ab")
    assert a["features"] == b["features"]
    assert a["features"]["colour"].startswith("hash:")
    assert a["features"]["colour"] != a["features"]["width"]
    other = LogRecords(hashed=("colour",), salt=b"other")
    other.learn(INFO)
    assert other.answers(answers("a"))[0]["features"]["colour"] != a["features"]["colour"]


def test_a_missing_value_is_not_hashed() -> None:
    (found,) = records_of(hashed=("width",)).answers(answers("r", values=(np.nan, 1.0, 1.0)))
    assert found["features"]["width"] is None


def test_the_rows_of_a_request_are_numbered() -> None:
    found = records_of().answers(answers("a", "a", "b", "a"))
    assert [(record["request_id"], record["row"]) for record in found] == [("a", 0), ("a", 1), ("b", 0), ("a", 0)]


def test_the_value_of_a_regression_is_a_list_of_one() -> None:
    records = records_of()
    records.learn(replace(INFO, output=OutputSchema("regression")))
    seen = answers("r")
    seen = replace(seen, labels_n=np.full(1, -1, np.int32), scores_nk=np.array([[2.5]]))
    (found,) = records.answers(seen)
    assert (found["label"], found["scores"]) == (None, [2.5])


def test_a_failure_has_its_reason() -> None:
    (found,) = records_of().failures(masked("r"))
    assert (found["kind"], found["status"], found["reason"], found["variant"]) == (
        "failure", "masked", "error", "canary",
    )  # fmt: skip


def test_answers_of_a_version_that_nobody_announced_are_refused() -> None:
    with pytest.raises(RecordRefused, match="unknown_version"):
        LogRecords().answers(answers("r"))


@pytest.mark.parametrize("at", [float("nan"), -1.0, 1e18])
def test_a_time_that_is_none_is_refused(at: float) -> None:
    with pytest.raises(RecordRefused, match="invalid"):
        records_of().answers(answers("r", at=at))
    with pytest.raises(RecordRefused, match="invalid"):
        records_of().failures(masked("r", at=at))


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(RecordRefused, match="invalid"):
        records_of().answers(replace(answers("r"), values_nd=np.zeros((1, 2))))
