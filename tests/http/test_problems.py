"""Every domain error has its status and type, and is told as RFC 9457 says."""

import json
from collections.abc import Iterator

import pytest

from gateway import errors
from gateway.errors import Fault, WeirError
from gateway.http.problems import TABLE, problem_bytes, problem_of, problem_response


def leaves(kind: type[WeirError]) -> Iterator[type[WeirError]]:
    children = kind.__subclasses__()
    for child in children:
        yield from leaves(child)
    if not children:
        yield kind


def told(error: WeirError) -> tuple[int, dict[str, str], dict[str, object]]:
    status, headers, body = problem_bytes(error, "r-1", "/predict/m")
    return status, {name.decode(): value.decode() for name, value in headers}, json.loads(body)


def test_every_error_that_can_be_raised_is_mapped() -> None:
    unmapped = [kind.__name__ for kind in leaves(WeirError) if kind not in TABLE]
    assert unmapped == []


def test_types_and_titles_name_one_kind_each() -> None:
    assert len({problem.slug for problem in TABLE.values()}) == len(TABLE)
    assert len({problem.title for problem in TABLE.values()}) == len(TABLE)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BodyMalformed("x"), 400),
        (errors.CredentialsMissing(), 401),
        (errors.ModelUnknown("m"), 404),
        (errors.VersionNotWarm("m", "1", "cold"), 409),
        (errors.VersionRefused("m", "1", "changed"), 409),
        (errors.RevisionStale("route/m", 1, 2), 412),
        (errors.BodyTooLarge("bytes", 1), 413),
        (errors.MediaTypeUnsupported("a", "b"), 415),
        (errors.InputRejected("m", "1", []), 422),
        (errors.PreconditionMissing("route/m"), 428),
        (errors.ExecutionFailed("m", "1", "x"), 500),
        (errors.QueueFull("m", 1), 503),
        (errors.DeadlineExceeded("m", 1), 504),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, WeirError) else str(value),
)
def test_an_error_has_its_status(error: WeirError, status: int) -> None:
    assert problem_of(error).status == status


def test_a_problem_names_everything() -> None:
    faults = [Fault("/instances/0/age", "missing", "a number", "nothing", "age"), Fault("/x", "unknown", "a", "b")]
    status, headers, body = told(errors.InputRejected("m", "1", faults, total=70))
    assert status == 422
    assert headers["content-type"] == "application/problem+json"
    assert body == {
        "type": "urn:weir:problem:input-rejected",
        "title": "The input breaks the model's contract",
        "status": 422,
        "detail": "70 faults against the contract of m version 1",
        "instance": "/predict/m",
        "request_id": "r-1",
        "total_errors": 70,
        "errors": [
            {"pointer": "/instances/0/age", "kind": "missing", "expected": "a number", "found": "nothing"}
            | {"feature": "age"},
            {"pointer": "/x", "kind": "unknown", "expected": "a", "found": "b"},
        ],
    }


def test_at_most_64_faults_are_told_and_all_are_counted() -> None:
    faults = [Fault(f"/{n}", "unknown", "a", "b") for n in range(100)]
    _, _, body = told(errors.DocumentInvalid("route", faults))
    assert isinstance(body["errors"], list)
    assert (len(body["errors"]), body["total_errors"]) == (64, 100)


def test_what_passes_says_when_to_come_back() -> None:
    _, headers, body = told(errors.WatchUnavailable())
    assert headers["retry-after"] == "1"
    assert body["reason"] == "watch_unavailable"


def test_too_many_failed_sign_ins_say_when_to_come_back() -> None:
    status, headers, _ = told(errors.SignInThrottled(7))
    assert (status, headers["retry-after"]) == (429, "7")
    assert "www-authenticate" not in headers


def test_missing_credentials_say_how_to_bring_them() -> None:
    _, headers, _ = told(errors.CredentialsInvalid())
    assert headers["www-authenticate"] == 'Bearer realm="weir"'


def test_an_error_without_an_entry_is_told_as_internal() -> None:
    assert problem_of(WeirError("boom")).status == 500
    status, _, body = problem_bytes(None, "r-1")
    assert (status, json.loads(body)["detail"]) == (500, "The gateway failed")


def test_the_response_is_the_same_answer() -> None:
    error = errors.ModelUnknown("é")
    status, headers, body = problem_bytes(error, "r", "/i")
    response = problem_response(error, "r", "/i")
    assert (response.status_code, response.raw_headers, response.body) == (status, headers, body)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errors.ResourceUnknown("/" + "a" * 9_000), id="path"),
        pytest.param(errors.ModelUnknown("a" * 9_000), id="model"),
        pytest.param(errors.VersionUnknown("m" * 9_000, "v" * 9_000), id="version"),
        pytest.param(errors.MediaTypeUnsupported("t" * 9_000, "application/json"), id="media type"),
    ],
)
def test_what_a_client_named_is_not_sent_back_at_any_length(error: WeirError) -> None:
    _, _, body = problem_bytes(error, "r-1", "/" + "b" * 9_000)
    assert len(body) < 1_500
