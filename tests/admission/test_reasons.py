"""Why a request is refused comes from one closed set, wherever it is told."""

from gateway.errors import SHED_REASONS, DeadlineExceeded, Overloaded, QueueFull, QuotaExceeded
from gateway.http.problems import problem_bytes, problem_of
from gateway.metrics.catalogue import METRICS


def test_what_is_told_is_what_is_counted() -> None:
    told = [
        Overloaded("concurrency_limit", 3).reason,
        Overloaded("deadline_unreachable").reason,
        Overloaded("draining").reason,
        QueueFull("m", 1).reason,
        DeadlineExceeded("m", 1.0, has_started=False).reason,
    ]
    assert tuple(told) == SHED_REASONS == METRICS["weir_shed_requests_total"].values["reason"]


def test_a_run_that_was_too_slow_is_another_thing_than_one_that_was_not_begun() -> None:
    late = DeadlineExceeded("m", 1.0)
    assert (late.reason, problem_of(late).status) == ("deadline", 504)
    assert problem_of(DeadlineExceeded("m", 1.0, has_started=False)).status == 504


def test_the_service_and_the_client_are_told_apart_and_both_told_when_to_come_back() -> None:
    for error, status in ((Overloaded("concurrency_limit", 4), 503), (QuotaExceeded(4), 429)):
        found, headers, body = problem_bytes(error)
        assert (found, dict(headers)[b"retry-after"]) == (status, b"4")
        assert f'"reason":"{error.reason}"'.encode() in body
