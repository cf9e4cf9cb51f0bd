"""Errors as the path's own protocol tells them: problems, or the error body of KServe's two protocols below theirs."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.errors import Overloaded, QuotaExceeded, WeirError
from gateway.http.problems import problem_bytes
from gateway.http.v2 import v2_error

__all__ = ["ROW", "Headers", "PreparedRefusals", "refusal"]

ROW = 16
"""How many answers are written in one piece at most."""

_KSERVE = ("/v1/", "/v2")
_SOME_ID = "=" * 16  # no path and no detail has it
_PREPARED = 1024
Headers = list[tuple[bytes, bytes]]


def refusal(error: WeirError, request_id: str, path: str) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of the answer that tells an error; ``WeirError()`` itself is a 500."""
    status, headers, body = problem_bytes(error, request_id, path)
    if not path.startswith(_KSERVE):
        return status, headers, body
    status, body = v2_error(status, error)
    kept = [pair for pair in headers if pair[0] not in (b"content-type", b"content-length")]
    return status, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *kept], body


class PreparedRefusals:
    """Whole answers to those who are refused for want of room, written once for each path and reason.

    A refusal that costs what an answer costs helps nobody: this one puts an id into two gaps.
    """

    def __init__(self) -> None:
        self._prepared: dict[tuple[str, str, int, int], tuple[int, list[bytes]]] = {}

    def answer(self, error: Overloaded | QuotaExceeded, request_id: str, path: str) -> tuple[int, bytes]:
        """Return the status, and head and body of an answer; the id is one of our own making."""
        status, around_id = self._around(error, path, 0)
        return status, request_id.encode().join(around_id)

    def row(self, error: Overloaded | QuotaExceeded, request_id: str, count: int, path: str) -> tuple[int, bytes]:
        """Return the same for up to ``ROW`` requests that came together, all of it by one join.

        Their ids are the one that is given, but for the last digit, which counts them.
        """
        status, around_ids = self._around(error, path, count)
        return status, request_id[:-1].encode().join(around_ids)

    def _around(self, error: Overloaded | QuotaExceeded, path: str, count: int) -> tuple[int, list[bytes]]:
        """Return the status, and what stands around an id, or around the digits that the ids of a row share."""
        key = (error.reason, path, error.retry_after_s, count)
        prepared = self._prepared.get(key)
        if prepared is None:
            if len(self._prepared) >= _PREPARED:
                self._prepared.clear()
            ids = [f"{_SOME_ID[:-1]}{i:x}" for i in range(count)] or [_SOME_ID]
            told = [refusal(error, request_id, path) for request_id in ids]
            answers = b"".join([_whole(*parts, request_id) for parts, request_id in zip(told, ids, strict=True)])
            prepared = self._prepared[key] = told[0][0], answers.split(_SOME_ID[: -1 if count else None].encode())
        return prepared


def _whole(status: int, headers: Headers, body: bytes, request_id: str) -> bytes:
    lines = [b"%b: %b\r\n" % pair for pair in (*headers, (b"x-request-id", request_id.encode()))]
    return b"".join((STATUS_LINE[status], *lines, b"\r\n", body))
