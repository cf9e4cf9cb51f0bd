"""One RPC as its methods see it: who asks, since when, for how long; and around each its errors and its count."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Protocol
from urllib.parse import unquote

from gateway.errors import WeirError
from gateway.grpc.rpc_counts import RpcCounts
from gateway.grpc.statuses import refusal
from gateway.http.request_ids import given_id, random_ids

__all__ = ["Guard", "Method", "Rpc", "RunsMethods", "headers_of", "host_of"]

_log = logging.getLogger("weir.grpc")
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rpc:
    """What the client said beside its message.

    Parameters
    ----------
    headers
        The metadata, in the form in which HTTP headers come.
    address
        The client's, without its port.
    received_at
        ``perf_counter`` when the message was there.
    remaining_s
        Seconds from then to the client's deadline; ``None`` without one.
    trailing
        Metadata of the answer; methods add to it.
    """

    headers: Headers
    address: str
    request_id: str
    received_at: float
    remaining_s: float | None = None
    trailing: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, context: Any, ids: Iterator[str]) -> Rpc:
        """Read it from the context of gRPC's; an RPC without an id gets the next of ``ids``."""
        headers = headers_of(context)
        request_id = given_id(headers) or next(ids)
        return cls(headers, host_of(context.peer()), request_id, perf_counter(), context.time_remaining())

    def message(self, number: int) -> Rpc:
        """Return one message of a stream as an RPC of its own, whose id tells it from its neighbours."""
        now, left = perf_counter(), self.remaining_s
        left = None if left is None else left - (now - self.received_at)
        return replace(self, request_id=f"{self.request_id}.{number}", received_at=now, remaining_s=left, trailing=[])


Method = Callable[[Any, Rpc], Awaitable[Any]]


class RunsMethods(Protocol):
    """The guard, or what stands before it."""

    async def run(self, name: str, method: Method, request: Any, context: Any) -> Any:
        """Return what a method answers, or end the RPC with the status that tells why there is no answer."""


class Guard:
    """Runs methods: no error leaves them but as a status, each is counted once, each answer has its request id."""

    def __init__(self, counts: RpcCounts) -> None:
        self._counts, self._ids = counts, random_ids()

    async def run(self, name: str, method: Method, request: Any, context: Any) -> Any:
        """Return what a method answers, or end the RPC with the status that tells why there is no answer."""
        rpc, told, code = Rpc.of(context, self._ids), None, "CANCELLED"
        rpc.trailing.append(("x-request-id", rpc.request_id))
        self._counts.begin()
        try:
            answer = await method(request, rpc)
            code = "OK"
        except WeirError as error:
            told = refusal(error)
        except Exception:
            _log.exception("request %s to %s failed", rpc.request_id, name)
            told = refusal(WeirError())
        finally:
            self._counts.end(name, code if told is None else told.code.name)
        if told is not None:
            await context.abort(told.code, told.message, (*rpc.trailing, *told.metadata))  # does not return
        context.set_trailing_metadata(tuple(rpc.trailing))
        return answer


def headers_of(context: Any) -> Headers:
    """Return the metadata of an RPC in the form in which HTTP headers come."""
    return [_header(key, value) for key, value in context.invocation_metadata() or ()]


def _header(key: str, value: str | bytes) -> tuple[bytes, bytes]:
    return key.encode("ascii"), value if isinstance(value, bytes) else value.encode("latin-1", "replace")


def host_of(peer: str) -> str:
    """Return the address in gRPC's name of a client.

    >>> host_of("ipv4:10.0.0.9:4711"), host_of("ipv6:%5B2001:db8::1%5D:4711"), host_of("unix:")
    ('10.0.0.9', '2001:db8::1', '')
    """
    family, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else ""
