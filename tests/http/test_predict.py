"""Predictions over ASGI: what clients read, by which name they ask, and under which request id."""

import pytest

from tests.http.front import BODY, Front, problem


def test_a_prediction_is_answered_with_who_answered(front: Front) -> None:
    response = front("POST", "/predict/m", json=BODY, headers={"x-request-id": "abc-1"})
    assert response.status_code == 200
    assert response.json() == {
        "id": "abc-1",
        "model": "m",
        "version": "1",
        "variant": "stable",
        "predictions": [20.0, 30.0],
    }
    headers = response.headers
    named = ("x-request-id", "x-model-version", "x-variant", "x-route-revision", "content-type")
    assert [headers[name] for name in named] == ["abc-1", "1", "stable", "4", "application/json"]
    parts = [part.split(";dur=") for part in headers["server-timing"].split(", ")]
    assert [name for name, _ in parts] == ["queue", "inference", "total"]
    assert all(float(milliseconds) >= 0 for _, milliseconds in parts)
    assert front.requests(route="/predict", status="200") == 1


def test_a_classifier_answers_classes_and_probabilities(front: Front) -> None:
    document = front("POST", "/predict/iris", json={"instances": [[5, 3.5, 1.4, 0.2]]}).json()
    assert (document["predictions"], document["classes"]) == ([0], [0, 1, 2])
    assert sum(document["probabilities"][0]) == pytest.approx(1.0, abs=1e-5)


def test_the_model_may_stand_in_the_body_or_the_path_may_end_in_a_slash(front: Front) -> None:
    assert front("POST", "/predict", json={**BODY, "model": "m"}).json()["model"] == "m"
    assert front("POST", "/predict/m/", json=BODY).json()["model"] == "m"
    problem(front("POST", "/predict", json=BODY), 404, "model-unknown")
    problem(front("POST", "/predict/m", json={**BODY, "model": "iris"}), 400, "body-malformed")


@pytest.mark.parametrize("given", ["a", "A-1:b.c_d/e=f+g", "x" * 128])
def test_a_sane_request_id_is_given_back(front: Front, given: str) -> None:
    assert front("POST", "/predict/m", json=BODY, headers={"x-request-id": given}).headers["x-request-id"] == given
    assert front("GET", "/livez", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", '"', "é"])
def test_any_other_request_id_is_replaced(front: Front, given: str) -> None:
    response = front("POST", "/predict/m", json=BODY, headers={"x-request-id": given.encode()})
    made = response.headers["x-request-id"]
    assert len(made) == 16
    assert int(made, 16) >= 0
    assert response.json()["id"] == made


def test_faults_are_told_by_pointer(front: Front) -> None:
    response = front("POST", "/predict/m", json={"instances": [{"x": 1}, {"x": "1", "y": 2}]})
    document = problem(response, 422, "input-rejected")
    assert [error["pointer"] for error in document["errors"]] == ["/instances/1/x", "/instances/1/y"]
    assert document["total_errors"] == 2
    assert document["instance"] == "/predict/m"


def test_a_model_that_fails_is_told_in_one_line(front: Front) -> None:
    document = problem(front("POST", "/predict/m", json={"instances": [{"x": 7}]}), 500, "execution-failed")
    assert "m version 1 failed on this input" in document["detail"]
    assert "\n" not in document["detail"]
