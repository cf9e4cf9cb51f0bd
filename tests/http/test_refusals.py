"""Prepared refusals are what a refusal made for one request is."""

import pytest

from gateway.errors import Overloaded, QuotaExceeded
from gateway.http.refusals import PreparedRefusals, refusal


@pytest.mark.parametrize("path", ["/predict/m", "/v2/models/m/infer"])
@pytest.mark.parametrize("error", [Overloaded("concurrency_limit", 3), QuotaExceeded(2)], ids=["full", "quota"])
def test_a_prepared_refusal_says_what_one_made_for_the_request_says(
    error: Overloaded | QuotaExceeded, path: str
) -> None:
    prepared = PreparedRefusals()
    request_ids = ["0123456789abcdef", "fedcba9876543210"]
    told, answers = prepared.answers(error, request_ids, path)
    for request_id in request_ids:
        status, headers, body = refusal(error, request_id, path)
        head, _, rest = answers.partition(b"\r\n\r\n")
        assert (told, rest[: len(body)]) == (status, body)
        assert head.split(b"\r\n")[1:] == [b"%b: %b" % pair for pair in headers] + [
            b"x-request-id: " + request_id.encode()
        ]
        answers = rest[len(body) :]
    assert not answers


def test_many_paths_do_not_fill_the_memory() -> None:
    prepared = PreparedRefusals()
    for i in range(5_000):
        prepared.answers(QuotaExceeded(1), ["0" * 16], f"/predict/m{i}")
    assert len(prepared._answers) <= 1024
