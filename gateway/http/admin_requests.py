"""What the admin endpoints read from a request, checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from gateway.codec.documents import decode_document
from gateway.codec.strict import pointer_to
from gateway.errors import DocumentInvalid, Fault
from gateway.http.reading import read_body
from gateway.rollout.operations import Ask
from gateway.types import Actor

__all__ = [
    "AuditQuery",
    "StopBody",
    "admin_body",
    "ask_of",
    "asked_reason",
    "audit_query",
    "read_reason",
    "read_stop",
    "request_id_of",
    "require_known_query",
    "revision_of",
]

BODY_BYTES = 64 * 1024
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_ANSWERS = {"true": True, "false": False}
LONGEST_REASON = 500
MOST_RECORDS = 1_000
_MOST_FAULTS = 10
REVISION = re.compile(r'"(0|[1-9][0-9]{0,17})"')


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audit records are wanted: those above a sequence or, where it is not 0, the ``last`` so many."""

    after: int
    limit: int
    resource: str | None
    last: int = 0


@dataclass(frozen=True, slots=True)
class _ReasonBody:
    reason: str = ""

    def __post_init__(self) -> None:
        if len(self.reason) > LONGEST_REASON:
            raise ValueError(f"a reason of at most {LONGEST_REASON} characters")


@dataclass(frozen=True, slots=True)
class StopBody(_ReasonBody):
    """The body that stops a model: why, the version that answers meanwhile, and what it answers without being asked."""

    version: str | None = None
    answer: Any = None


async def admin_body(request: Request) -> bytes:
    """Return the body; raise ``BodyTooLarge`` above 64 KiB."""
    return await read_body(request.scope, request.receive, BODY_BYTES)


async def read_reason(request: Request) -> str:
    """Return the reason of an optional body ``{"reason": "..."}``."""
    body = await admin_body(request)
    return decode_document(body, _ReasonBody, source="body").reason.strip() if body.strip() else ""


def asked_reason(request: Request) -> str:
    """Return the reason that the query of a request without a body may give."""
    text = request.query_params.get("reason", "")
    if len(text) > LONGEST_REASON:
        fault = Fault("/reason", "value", f"a reason of at most {LONGEST_REASON} characters", f"{len(text)} characters")
        raise DocumentInvalid("query", [fault])
    return text.strip()


async def read_stop(request: Request) -> StopBody:
    """Return the optional body ``{"reason": "...", "version": "...", "answer": ...}``."""
    body = await admin_body(request)
    return decode_document(body, StopBody, source="body") if body.strip() else StopBody()


def request_id_of(request: Request) -> str:
    """Return the id that the application gave the request; empty without one."""
    return str(request.scope.get("weir.request_id", ""))


def revision_of(request: Request) -> int | None:
    """Return the revision that ``If-Match`` names, ``None`` without the header."""
    text = request.headers.get("if-match")
    if text is None:
        return None
    match = REVISION.fullmatch(text.strip())
    if match is None:
        raise DocumentInvalid("If-Match", [Fault("", "value", 'one revision in quotes, such as "7"', repr(text))])
    return int(match[1])


def audit_query(request: Request) -> AuditQuery:
    """Return the query of ``GET audit``; raise ``DocumentInvalid`` naming every parameter that is wrong."""
    faults: list[Fault] = []

    def integer(name: str, default: int, low: int, high: int) -> int:
        text = request.query_params.get(name, str(default))
        if re.fullmatch("[0-9]{1,18}", text) and low <= int(text) <= high:
            return int(text)
        faults.append(Fault(f"/{name}", "out_of_range", f"an integer from {low} to {high}", repr(text)))
        return default

    query = AuditQuery(
        integer("after", 0, 0, 2**53),
        integer("limit", 100, 1, MOST_RECORDS),
        request.query_params.get("resource"),
        integer("last", 0, 0, MOST_RECORDS),
    )
    if faults:
        raise DocumentInvalid("query", faults)
    return query


def require_known_query(request: Request, known: Sequence[str]) -> None:
    """Raise ``DocumentInvalid`` for a parameter of the query that is not known here, or that stands there twice."""
    times = Counter(name for name, _ in request.query_params.multi_items())
    expected = f"one of {', '.join(known)}" if known else "no parameters"
    faults = [
        Fault(pointer_to("", name[:64]), "unknown", expected, f"unknown parameter {name[:64]!r}")
        for name in times
        if name not in known
    ]
    faults += [
        Fault(pointer_to("", name), "value", "each once", f"{times[name]} times") for name in known if times[name] > 1
    ]
    if faults:
        raise DocumentInvalid("query", faults[:_MOST_FAULTS])


def ask_of(request: Request, actor: Actor) -> Ask:
    """Return how something is asked: under which idempotency key, whether only to see what it would do."""
    return Ask(
        actor=actor,
        request_id=request_id_of(request),
        idempotency_key=_idempotency_key(request),
        dry_run=_is_dry_run(request),
    )


def _idempotency_key(request: Request) -> str:
    text = request.headers.get("idempotency-key", "").strip()
    if text and not _KEY.fullmatch(text):
        raise DocumentInvalid(
            "Idempotency-Key", [Fault("", "value", "1 to 128 visible characters of ASCII", repr(text[:64]))]
        )
    return text


def _is_dry_run(request: Request) -> bool:
    text = request.query_params.get("dry_run", "false")
    if text not in _ANSWERS:
        raise DocumentInvalid("query", [Fault("/dry_run", "value", "true or false", repr(text[:64]))])
    return _ANSWERS[text]
