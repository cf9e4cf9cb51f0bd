"""Bodies over ASGI: how much is read, of which type, and clients that leave."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.http.front import BODY, LIMIT, Front, Message, problem


def test_a_body_above_the_limit_is_refused_before_it_is_read(front: Front) -> None:
    head, body = front.raw("/predict/m", [], [(b"content-length", b"2001")])
    assert head["status"] == 413
    assert b"at most 2000 bytes are accepted; this one has 2001" in body["body"]


def chunks(*parts: bytes) -> list[Message]:
    return [{"type": "http.request", "body": part, "more_body": i < len(parts) - 1} for i, part in enumerate(parts)]


def test_a_body_without_a_length_is_read_up_to_the_limit(front: Front) -> None:
    good = json.dumps(BODY).encode()
    head, _ = front.raw("/predict/m", chunks(good[:10], good[10:], b""))
    assert head["status"] == 200
    endless = [*chunks(*[b" " * 900] * 4), {"type": "http.request", "body": b"never read", "more_body": True}]
    head, _ = front.raw("/predict/m", endless)
    assert head["status"] == 413
    assert len(endless) == 2
    head, _ = front.raw("/predict/m", chunks(b" " * 2_001))
    assert head["status"] == 413


def test_a_body_at_the_limit_is_accepted_whatever_length_it_claims(front: Front) -> None:
    padded = json.dumps(BODY).encode().ljust(LIMIT)
    for headers in ([], [(b"content-length", b"2000")], [(b"content-length", b"nonsense")]):
        assert front.raw("/predict/m", chunks(padded), headers)[0]["status"] == 200


@pytest.mark.parametrize("before", [[], [b'{"inst'], [b'{"inst', b"ances"]])
def test_a_client_that_leaves_within_its_body_is_no_failure_of_ours(front: Front, before: list[bytes]) -> None:
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in before]
    head, body = front.raw("/predict/m", [*messages, {"type": "http.disconnect"}])
    assert head["status"] == 400
    assert b"connection closed" in body["body"]


def test_an_endless_upload_is_stopped(front: Front) -> None:
    async def upload() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"[" * 100

    problem(front("POST", "/predict/m", content=upload()), 413, "body-too-large")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/vnd.acme+json"}, 200),
        ({"content-type": "text/json"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 200),
        ({"content-type": "multipart/form-data"}, 415),
        ({"content-type": ""}, 415),
        ({}, 200),
    ],
)
def test_only_json_is_read(front: Front, headers: dict[str, str], status: int) -> None:
    response = front("POST", "/predict/m", content=json.dumps(BODY), headers=headers)
    assert response.status_code == status
    if status == 415:
        problem(response, 415, "media-type-unsupported")
