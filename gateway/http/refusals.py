"""Errors as the path's own protocol tells them: problems, or the error body of KServe's two protocols below theirs."""

from __future__ import annotations

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.errors import Overloaded, QuotaExceeded, WeirError
from gateway.http.problems import problem_bytes
from gateway.http.v2 import v2_error

__all__ = ["Headers", "PreparedRefusals", "refusal"]

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
        self._answers: dict[tuple[str, str, int], tuple[int, list[bytes]]] = {}

    def answers(self, error: Overloaded | QuotaExceeded, request_ids: Iterable[str], path: str) -> tuple[int, bytes]:
        """Return the status, and head and body of an answer for each id; the ids are of our own making."""
        key = (error.reason, path, error.retry_after_s)
        prepared = self._answers.get(key)
        if prepared is None:
            if len(self._answers) >= _PREPARED:
                self._answers.clear()
            prepared = self._answers[key] = _around_ids(refusal(error, _SOME_ID, path))
        status, around_ids = prepared
        return status, b"".join([request_id.encode().join(around_ids) for request_id in request_ids])


def _around_ids(parts: tuple[int, Headers, bytes]) -> tuple[int, list[bytes]]:
    status, headers, body = parts
    lines = [b"%b: %b\r\n" % pair for pair in (*headers, (b"x-request-id", _SOME_ID.encode()))]
    return status, b"".join((STATUS_LINE[status], *lines, b"\r\n", body)).split(_SOME_ID.encode())
