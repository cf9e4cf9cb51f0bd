"""The data plane over ASGI: refusals are problems, requests are counted, and nothing of the inside leaks."""

import logging

import pytest

from tests.http.front import BODY, Front, problem
from tests.serving import counted


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/", 404, "resource-unknown"),
        ("GET", "/nothing/here", 404, "resource-unknown"),
        ("POST", "/predict/m/1", 404, "resource-unknown"),
        ("POST", "/predict/other", 404, "model-unknown"),
        ("POST", "/predict/gone", 503, "model-not-ready"),
        ("GET", "/predict/m", 405, "method-unsupported"),
        ("DELETE", "/predict", 405, "method-unsupported"),
        ("POST", "/livez", 405, "method-unsupported"),
        ("GET", "/metrics", 500, "internal"),
        ("GET", "/openapi.json", 503, "store-unavailable"),
    ],
)
def test_refusals_are_problem_documents(front: Front, method: str, path: str, status: int, slug: str) -> None:
    response = front(method, path, json=BODY if method == "POST" else None)
    problem(response, status, slug)
    if status == 405:
        assert "POST" in response.headers["allow"] or "GET" in response.headers["allow"]
    if status == 503:
        assert response.headers["retry-after"] == "1"


def test_a_crash_is_logged_with_its_request_and_tells_the_client_nothing(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = front("GET", "/metrics", headers={"x-request-id": "r-9"})
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    (record,) = [record for record in caplog.records if record.name == "weir.http"]
    assert "r-9" in record.getMessage()
    assert record.exc_info is not None


def test_an_answer_that_breaks_off_is_logged_and_never_begun_again(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    sent = front.raw("/livez/half", [{"type": "http.request"}, {"type": "http.disconnect"}], method="GET")
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert "failed in its answer" in caplog.text
    assert front.requests(route="/livez", status="200") == 1


def test_requests_are_counted_by_route_and_status(front: Front) -> None:
    front("POST", "/predict/m", json=BODY)
    front("POST", "/predict/other", json=BODY)
    front("GET", "/livez")
    front("GET", "/x/y/z")
    assert front.requests(route="/predict", status="200") == 1
    assert front.requests(route="/predict", status="404") == 1
    assert front.requests(route="/livez", status="200") == 1
    assert front.requests(route="other", status="404") == 1
    assert counted(front.directory, "weir_inflight_requests") == 0
