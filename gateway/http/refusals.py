"""Errors as the path's own protocol tells them: problems, or the error body of KServe's two protocols below theirs."""

from __future__ import annotations

from gateway.errors import WeirError
from gateway.http.problems import problem_bytes
from gateway.http.v2 import v2_error

__all__ = ["refusal"]

_KSERVE = ("/v1/", "/v2")
Headers = list[tuple[bytes, bytes]]


def refusal(error: WeirError, request_id: str, path: str) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of the answer that tells an error; ``WeirError()`` itself is a 500."""
    status, headers, body = problem_bytes(error, request_id, path)
    if not path.startswith(_KSERVE):
        return status, headers, body
    status, body = v2_error(status, error)
    kept = [pair for pair in headers if pair[0] not in (b"content-type", b"content-length")]
    return status, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *kept], body
