"""What the head of a request asks, where the fast path can take it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gateway.admission.deadline import Urgency, of_headers
from gateway.admission.door import Door
from gateway.errors import RequestInvalid
from gateway.http.known_heads import KnownHeads
from gateway.http.reading import is_length, says_json
from gateway.http.refusals import Headers
from gateway.http.request_counts import RequestCounts
from gateway.http.request_ids import given_id
from gateway.metrics.shared import Counter

__all__ = ["Asked", "HeadReader"]

_NAME = rb"[A-Za-z0-9._-]{1,64}"
_ROUTE = re.compile(rb"/predict(?:/(%b))?|/v2/models/(%b)(?:/versions/(%b))?/infer" % (_NAME, _NAME, _NAME))
_URGENCY = frozenset((b"x-request-deadline-ms", b"x-request-priority"))
_TELLING = frozenset(
    (
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"inference-header-content-length",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
        *_URGENCY,
    )
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an inference request asks, but for its body.

    ``answered`` counts its answers with 200, which say nothing of the connection where it is to ``keep_alive``;
    ``comes_together`` says that the head asks the plain protocol for a named model and nothing else; ``of_client`` are
    the headers that tell whose it is; ``json_bytes`` is the length of the JSON that raw tensors follow. Requests of one
    connection that are equal in ``refused_as`` are refused alike: same path, same priority, same client.
    """

    path: str
    protocol: Literal["plain", "v2"]
    model: str | None
    version: str | None
    route: str
    length: int
    json_bytes: int | None
    key: str | None
    request_id: str | None
    urgency: Urgency
    is_urgent: bool
    keep_alive: bool
    comes_together: bool
    answered: Counter
    of_client: Headers
    refused_as: tuple[object, ...]


class HeadReader:
    """Reads heads for the connections of one worker, and remembers in ``known`` what they ask.

    Parameters
    ----------
    key_header
        Name of the header that carries the routing key.
    body_bytes
        Largest body accepted.
    """

    def __init__(self, counts: RequestCounts, door: Door, *, key_header: str, body_bytes: int) -> None:
        self._counts, self._body_bytes = counts, body_bytes
        self._of_client = frozenset() if door.is_open else door.needs
        self._key_header = key_header.lower().encode("ascii")
        self._telling = _TELLING | {self._key_header}
        self.known: KnownHeads[Asked] = KnownHeads()

    def read(self, url: bytes, headers: Headers, *, keep_alive: bool) -> Asked | None:
        """Return what a POST of HTTP/1.1 asks; ``None`` where it is not for the fast path, or not right."""
        match = _ROUTE.fullmatch(url)
        if match is None:
            return None
        plain, model, version = (None if name is None else name.decode("ascii") for name in match.groups())
        protocol: Literal["plain", "v2"] = "v2" if url.startswith(b"/v2") else "plain"
        length, json_bytes, key, is_urgent = -1, None, None, False
        for name, value in headers:
            if name not in self._telling:
                continue
            if name == b"content-length":
                length = int(value)
            elif name == b"inference-header-content-length" and protocol == "v2" and json_bytes is None:
                if not is_length(value):
                    return None
                json_bytes = int(value)
            elif name in (b"transfer-encoding", b"upgrade") or not says_json(name, value, protocol):
                return None
            elif name == self._key_header and key is None:
                key = value.decode("latin-1")
            is_urgent |= name in _URGENCY
        if not 0 <= length <= self._body_bytes:
            return None
        try:
            urgency = of_headers(headers) if is_urgent else Urgency()
        except RequestInvalid:
            return None
        path, of_client = url.decode("ascii"), [pair for pair in headers if pair[0] in self._of_client]
        route = RequestCounts.route_of(path)
        return Asked(
            path,
            protocol,
            plain or model,
            version,
            route,
            length,
            json_bytes,
            key,
            given_id(headers),
            urgency,
            is_urgent,
            keep_alive,
            keep_alive and plain is not None and not is_urgent,
            self._counts.answered(route, 200),
            of_client,
            (path, urgency.priority, *of_client),
        )

    def remember(self, data: bytes, asked: Asked) -> None:
        """Remember what the head of ``data`` asks, if others are likely to say the same."""
        if asked.request_id is None and asked.keep_alive:
            self.known.remember(data, asked.length, asked)
