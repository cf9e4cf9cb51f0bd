"""What every operation of the OpenAPI document may answer: headers, problems, and answers with a body."""

from __future__ import annotations

from collections.abc import Mapping

from gateway import errors
from gateway.admission.deadline import PRIORITIES
from gateway.errors import MethodUnsupported, QuotaExceeded, SignInThrottled, Unavailable, WeirError
from gateway.http.openapi_parts import Part, object_of, ref
from gateway.http.problems import MEDIA_TYPE, TABLE, UNKNOWN, Problem

__all__ = [
    "ANSWERED",
    "HEADERS",
    "PROBLEM_SCHEMAS",
    "RUN",
    "answer",
    "problem_schema",
    "problem_types",
    "problems",
    "protocol_errors",
    "request_headers",
]

Errors = tuple[type[WeirError], ...]

LONGEST_DEADLINE_MS = 86_400_000
ANSWERED = ("x-model-version", "x-variant", "x-route-revision", "server-timing")
RUN = (
    errors.ModelUnknown, errors.BodyMalformed, errors.BodyTooLarge, errors.InputRejected, errors.ExecutionFailed,
    errors.ModelNotReady, errors.ModelStopped, errors.QueueFull, errors.DeadlineExceeded, errors.MediaTypeUnsupported,
    errors.EncodingUnsupported, errors.HeaderInvalid, errors.QuotaExceeded, errors.Overloaded,
)  # fmt: skip

HEADERS: dict[str, Part] = {
    "x-request-id": {
        "description": "The request's own x-request-id where it is plain and short, else 16 random digits.",
        "schema": {"type": "string", "maxLength": 128},
        "required": True,
    },
    "x-model-version": {"description": "Version that answered.", "schema": {"type": "string"}, "required": True},
    "x-variant": {
        "description": "Role in which it answered: `pinned` where the request named the version, `constant` where "
        "operators have stopped the model with an answer, which no model gave.",
        "schema": {"enum": ["stable", "canary", "pinned", "constant"]},
        "required": True,
    },
    "x-route-revision": {
        "description": "Revision of the route that chose it.",
        "schema": {"type": "integer", "minimum": 1},
        "required": True,
    },
    "server-timing": {
        "description": "Milliseconds waited, run, and in all: `queue;dur=0.1, inference;dur=0.2, total;dur=0.5`.",
        "schema": {"type": "string"},
        "required": True,
    },
    "inference-header-content-length": {
        "description": "Length of the JSON, where raw tensors follow it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "etag": {
        "description": 'Revision of the route in quotes, such as `"7"`.',
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "required": True,
    },
    "content-security-policy": {
        "description": "Nothing but the console's own files is loaded, and none of it from strings.",
        "schema": {"type": "string"},
        "required": True,
    },
    "set-cookie": {"description": "HttpOnly, SameSite=Strict.", "schema": {"type": "string"}, "required": True},
    "retry-after": {"description": "Seconds.", "schema": {"type": "integer"}, "required": True},
    "www-authenticate": {"schema": {"const": 'Bearer realm="weir"'}, "required": True},
    "accept-encoding": {"description": "How a body may be packed.", "schema": {"type": "string"}},
    "allow": {"description": "The methods that the path answers.", "schema": {"type": "string"}, "required": True},
}

PROBLEM_SCHEMAS: dict[str, Part] = {
    "Fault": {
        "type": "object",
        "description": "One thing wrong in a document.",
        "properties": {
            "pointer": {"type": "string", "description": "JSON Pointer (RFC 6901) to the place."},
            "kind": {
                "enum": [
                    "missing",
                    "wrong_type",
                    "unknown",
                    "out_of_range",
                    "unseen",
                    "rule",
                    "shape",
                    "syntax",
                    "value",
                ]
            },
            "expected": {"type": "string"},
            "found": {"type": "string"},
            "feature": {"type": "string", "description": "Where the fault is one feature's."},
            "rule": {"type": "string", "description": "The data-quality rule that the row breaks."},
        },
        "required": ["pointer", "kind", "expected", "found"],
    },
    "ProtocolError": {
        "type": "object",
        "description": "The Open Inference Protocol's error.",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    },
}


def problem_types() -> list[Problem]:
    """Return every problem that a client may get, by status and name."""
    return sorted([*TABLE.values(), UNKNOWN], key=lambda problem: (problem.status, problem.slug))


def problem_schema() -> Part:
    """Return the schema of a problem (RFC 9457)."""
    return {
        "type": "object",
        "properties": {
            "type": {"enum": [problem.type for problem in problem_types()]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "Path of the request."},
            "request_id": {"type": "string"},
            "reason": {"type": "string", "description": "Of a 503 or 504: one word out of a closed set."},
            "missing": {
                "type": "array",
                "description": "Of `governance-unmet`: what the version lacks, and the command that gets it.",
                "items": object_of(what={"type": "string"}, command={"type": "string"}),
            },
            "errors": {"type": "array", "maxItems": 64, "items": ref("Fault")},
            "total_errors": {"type": "integer", "description": "All faults, those beyond 64 included."},
        },
        "required": ["type", "title", "status", "detail"],
    }


def answer(
    description: str, schema: Part, *headers: str, media_type: str = "application/json", example: object = None
) -> Part:
    """Return one response with a body; ``x-request-id`` comes with every one."""
    content: Part = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": description, "headers": _headers(headers), "content": {media_type: content}}


def problems(*kinds: type[WeirError]) -> dict[str, Part]:
    """Return the responses that tell these errors, one a status, and that of a failure of the gateway itself."""
    return {str(status): _problem(status, found) for status, found in _by_status(kinds).items()}


def protocol_errors(*kinds: type[WeirError]) -> dict[str, Part]:
    """Return the same as the Open Inference Protocol tells it; see ``gateway.http.v2.v2_error``."""
    found: dict[int, list[type[WeirError]]] = {}
    for status, members in _by_status(kinds).items():
        found.setdefault(400 if status in (413, 415, 422) else status, []).extend(members)
    return {
        str(status): answer(
            "; ".join(TABLE[kind].title for kind in members) + "." if members else f"{UNKNOWN.title}.",
            ref("ProtocolError"),
            *_extra_headers(members),
        )
        for status, members in sorted(found.items())
    }


def _by_status(kinds: Errors) -> Mapping[int, list[type[WeirError]]]:
    found: dict[int, list[type[WeirError]]] = {UNKNOWN.status: []}
    for kind in kinds:
        found.setdefault(TABLE[kind].status, []).append(kind)
    return dict(sorted(found.items()))


def _problem(status: int, kinds: list[type[WeirError]]) -> Part:
    told = [TABLE[kind] for kind in kinds] + ([UNKNOWN] if status == UNKNOWN.status else [])
    narrowed = {"properties": {"type": {"enum": [problem.type for problem in told]}, "status": {"const": status}}}
    schema = {"allOf": [ref("Problem"), narrowed]}
    description = "; ".join(f"`{problem.slug}`: {problem.title}" for problem in told) + "."
    return answer(description, schema, *_extra_headers(kinds), media_type=MEDIA_TYPE)


def _extra_headers(kinds: list[type[WeirError]]) -> tuple[str, ...]:
    if any(issubclass(kind, (Unavailable, QuotaExceeded, SignInThrottled)) for kind in kinds):
        return ("retry-after",)
    if any(issubclass(kind, MethodUnsupported) for kind in kinds):
        return ("allow",)
    if errors.EncodingUnsupported in kinds:
        return ("accept-encoding",)
    return ("www-authenticate",) if any(issubclass(kind, errors.AccessDenied) for kind in kinds) else ()


def _headers(names: tuple[str, ...]) -> Part:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def request_headers() -> list[Part]:
    """Return the headers that every inference request may have."""
    key = "Callers with the same key get the same version. The name is a setting; this is its default."
    client = "Whose quota the request counts against; without one, that of the address it comes from. Name as above."
    deadline = "Milliseconds from the first byte, after which the answer is worth nothing; 504 when they have passed."
    urgency = "The less urgent are given up first where there are too many. Numbers are the Open Inference Protocol's."
    return [
        {
            "name": "x-request-id",
            "in": "header",
            "description": "Given back as it is where it is `[A-Za-z0-9._:+/=-]{1,128}`; another one is replaced.",
            "schema": {"type": "string"},
        },
        {"name": "x-route-key", "in": "header", "description": key, "schema": {"type": "string"}},
        {"name": "x-api-key", "in": "header", "description": client, "schema": {"type": "string"}},
        {
            "name": "x-request-deadline-ms",
            "in": "header",
            "description": deadline,
            "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_DEADLINE_MS},
        },
        {
            "name": "x-request-priority",
            "in": "header",
            "description": urgency,
            "schema": {"anyOf": [{"enum": list(PRIORITIES)}, {"type": "integer", "minimum": 0}], "default": "normal"},
        },
        {
            "name": "content-encoding",
            "in": "header",
            "description": "How the body is packed, once. The limit on bodies holds before and after.",
            "schema": {"enum": ["identity", "gzip", "zstd"], "default": "identity"},
        },
    ]
