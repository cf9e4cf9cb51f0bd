"""Every domain error has a gRPC status, one that agrees with what HTTP says, and facts that machines read."""

from collections.abc import Iterator

import grpc
import pytest

from gateway import errors
from gateway.errors import Fault, WeirError
from gateway.grpc.statuses import TABLE, refusal
from gateway.http.problems import TABLE as PROBLEMS

ALIKE: dict[int, set[grpc.StatusCode]] = {
    401: {grpc.StatusCode.UNAUTHENTICATED},
    403: {grpc.StatusCode.PERMISSION_DENIED},
    404: {grpc.StatusCode.NOT_FOUND},
    405: {grpc.StatusCode.UNIMPLEMENTED},
    409: {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.ABORTED},
    412: {grpc.StatusCode.ABORTED},
    428: {grpc.StatusCode.FAILED_PRECONDITION},
    429: {grpc.StatusCode.RESOURCE_EXHAUSTED},
    500: {grpc.StatusCode.INTERNAL},
    503: {grpc.StatusCode.UNAVAILABLE},
    504: {grpc.StatusCode.DEADLINE_EXCEEDED},
}


def leaves(kind: type[WeirError]) -> Iterator[type[WeirError]]:
    children = kind.__subclasses__()
    for child in children:
        yield from leaves(child)
    if not children:
        yield kind


@pytest.mark.parametrize("kind", list(leaves(WeirError)), ids=lambda kind: kind.__name__)
def test_every_error_has_the_status_that_is_like_its_http_status(kind: type[WeirError]) -> None:
    nearest = next((known for known in kind.__mro__ if known in TABLE), None)
    assert nearest is not None, f"{kind.__name__} and its ancestors have no status"
    assert TABLE[nearest] in ALIKE.get(PROBLEMS[kind].status, {grpc.StatusCode.INVALID_ARGUMENT})


def test_a_refusal_names_problem_reason_and_when_to_come_back() -> None:
    told = refusal(errors.QueueFull("m", 7))
    assert (told.code, told.message) == (grpc.StatusCode.UNAVAILABLE, "the queue of m holds its limit of 7 rows")
    assert dict(told.metadata) == {
        "weir-problem": "urn:weir:problem:queue-full",
        "weir-reason": "queue_full",
        "retry-after": "1",
    }


def test_what_will_not_pass_has_no_time_to_come_back() -> None:
    assert dict(refusal(errors.ModelUnknown("m")).metadata) == {"weir-problem": "urn:weir:problem:model-unknown"}


def test_the_message_names_faults_and_fits_into_a_trailer() -> None:
    fault = Fault("/inputs/0/data/1", "out_of_range", "at most 5", "7")
    assert "/inputs/0/data/1: expected at most 5, found 7" in refusal(errors.InputRejected("m", "1", [fault])).message
    many = [Fault("/é" * 100, "unknown", "a", "b")] * 64
    message = refusal(errors.DocumentInvalid("route", many)).message
    assert (message[-3:], len(message.encode()) <= 2048) == ("...", True)
    assert refusal(errors.ModelUnknown("\ud800")).message.encode()


def test_a_failure_of_the_gateway_says_nothing_more() -> None:
    told = refusal(WeirError())
    assert (told.code, told.message) == (grpc.StatusCode.INTERNAL, "the gateway failed")
    assert dict(told.metadata) == {"weir-problem": "urn:weir:problem:internal"}
