"""Prepared refusals are what a refusal made for one request is."""

import pytest
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.errors import Overloaded, QuotaExceeded
from gateway.http.refusals import ROW, PreparedRefusals, refusal

ERRORS = pytest.mark.parametrize("error", [Overloaded("concurrency_limit", 3), QuotaExceeded(2)], ids=["full", "quota"])
PATHS = pytest.mark.parametrize("path", ["/predict/m", "/v2/models/m/infer"])


def made_for(error: Overloaded | QuotaExceeded, request_id: str, path: str) -> tuple[int, bytes]:
    status, headers, body = refusal(error, request_id, path)
    lines = [b"%b: %b\r\n" % pair for pair in (*headers, (b"x-request-id", request_id.encode()))]
    return status, b"".join((STATUS_LINE[status], *lines, b"\r\n", body))


@PATHS
@ERRORS
def test_a_prepared_refusal_says_what_one_made_for_the_request_says(
    error: Overloaded | QuotaExceeded, path: str
) -> None:
    prepared = PreparedRefusals()
    for request_id in ("0123456789abcdef", "fedcba9876543210"):
        assert prepared.answer(error, request_id, path) == made_for(error, request_id, path)


@PATHS
@ERRORS
@pytest.mark.parametrize("count", [1, 2, ROW])
def test_a_row_is_one_refusal_behind_the_other_and_each_has_an_id_of_its_own(
    error: Overloaded | QuotaExceeded, path: str, count: int
) -> None:
    prepared = PreparedRefusals()
    for random in ("0123456789abcde", "edcba9876543210"):
        ids = [f"{random}{digit}" for digit in "0123456789abcdef"[:count]]
        status, answers = prepared.row(error, f"{random}7", count, path)
        assert answers == b"".join([made_for(error, request_id, path)[1] for request_id in ids])
        assert status == made_for(error, ids[0], path)[0]


def test_many_paths_do_not_fill_the_memory() -> None:
    prepared = PreparedRefusals()
    for i in range(5_000):
        prepared.answer(QuotaExceeded(1), "0" * 16, f"/predict/m{i}")
        prepared.row(QuotaExceeded(1), "0" * 16, 1 + i % ROW, f"/predict/m{i}")
    assert len(prepared._prepared) <= 1024
