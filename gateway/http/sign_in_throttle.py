"""Failed sign-ins by peer address: a few are free, then an address is told to wait."""

from __future__ import annotations

import math
from collections import OrderedDict
from ipaddress import AddressValueError, IPv6Address

from gateway.errors import SignInThrottled
from gateway.metrics.shared import SharedCounters
from monitors.ports import Clock

__all__ = ["SignInThrottle"]

_BURST = 10
_FORGET_ONE_S = 5.0
_ADDRESSES = 4096


class SignInThrottle:
    """A token bucket of failures for each address. What succeeds costs nothing and is never refused.

    So a script with an old token cannot lock out the operator beside it. What keeps guesses from succeeding is the
    length of the token; this keeps them from being cheap, and shows them.

    The table is bounded: the address that failed longest ago is forgotten first. An IPv6 address counts as its /64
    network, since whoever has one address there has all of them. On the event loop only.

    Parameters
    ----------
    burst
        Failures in a row that an address has free.
    forget_one_s
        Seconds after which one failure is forgotten.
    addresses
        Most addresses that are remembered.
    """

    def __init__(
        self,
        clock: Clock,
        counters: SharedCounters,
        *,
        burst: int = _BURST,
        forget_one_s: float = _FORGET_ONE_S,
        addresses: int = _ADDRESSES,
    ) -> None:
        self._clock, self._forget_one_s, self._addresses = clock, forget_one_s, addresses
        self._free_s = (burst - 1) * forget_one_s
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()
        self._invalid = counters.counter("weir_sign_ins_refused_total", reason="invalid")
        self._throttled = counters.counter("weir_sign_ins_refused_total", reason="throttled")

    def note_failure(self, address: str) -> None:
        """Count a token that was not valid; raise ``SignInThrottled`` where its address has used up its failures."""
        source, now_s = _source(address), self._clock.monotonic_s()
        forgotten_at = max(now_s, self._forgotten_at.get(source, 0.0))
        wait_s = forgotten_at - now_s - self._free_s
        if wait_s > 0.0:
            self._throttled.inc()
            raise SignInThrottled(math.ceil(wait_s))
        self._forgotten_at[source] = forgotten_at + self._forget_one_s
        self._forgotten_at.move_to_end(source)
        if len(self._forgotten_at) > self._addresses:
            self._forgotten_at.popitem(last=False)
        self._invalid.inc()


def _source(address: str) -> str:
    """Return what failures of an address count under.

    >>> _source("10.0.0.9"), _source("2001:db8::1:2:3:4")
    ('10.0.0.9', '2001:db8::/64')
    """
    try:
        number = int(IPv6Address(address.partition("%")[0]))
    except AddressValueError:
        return address
    return f"{IPv6Address(number >> 64 << 64)}/64"
