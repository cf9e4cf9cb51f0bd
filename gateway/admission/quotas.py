"""Quotas: a token bucket for each client, in a table that cannot grow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

__all__ = ["Quotas"]


class Quotas:
    """What each client may ask for: so many requests a second in the long run, so many at once.

    A bucket is one number: the instant at which it is full again. A client that is not in the table has a full one; the
    one that was served longest ago is forgotten first. So whoever comes from many addresses has many buckets, and can
    push others out of the table, but all that does to them is to fill their buckets.

    Parameters
    ----------
    requests_per_s
        The rate of every client; 0 for no limit.
    burst
        Tokens of a full bucket.
    clients
        Rows of the table.
    overrides
        Rates of single clients, by what ``Clients.identify`` returns; 0 for no limit.

    Notes
    -----
    One look-up and one write for each request, about half a microsecond. On the event loop only.

    Examples
    --------
    >>> quotas = Quotas(requests_per_s=2.0, burst=2)
    >>> [quotas.take(b"a", 10.0) for _ in range(3)]
    [0.0, 0.0, 0.5]
    """

    __slots__ = ("_burst", "_clients", "_full_at", "_overrides", "_rate", "is_off")

    def __init__(
        self,
        *,
        requests_per_s: float,
        burst: int,
        clients: int = 10_000,
        overrides: Mapping[bytes, float] | None = None,
    ) -> None:
        self._rate, self._burst, self._clients = requests_per_s, float(burst), clients
        self._overrides = dict(overrides or {})
        self._full_at: OrderedDict[bytes, float] = OrderedDict()
        self.is_off = not requests_per_s and not self._overrides

    def take(self, client: bytes, now_s: float, cost: float = 1.0) -> float:
        """Take tokens of a client.

        Returns
        -------
        float
            0.0 where they were there; else the seconds until they will be, and nothing was taken. A cost above the
            burst is served from a full bucket, which it leaves in debt.
        """
        rate = self._overrides.get(client, self._rate)
        if not rate:
            return 0.0
        wait_s = self.wait_s(client, now_s, cost)
        if wait_s > 0.0:
            return wait_s
        self._full_at[client] = max(self._full_at.get(client, 0.0), now_s) + cost / rate
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._clients:
            self._full_at.popitem(last=False)
        return 0.0

    def wait_s(self, client: bytes, now_s: float, cost: float = 1.0) -> float:
        """Return the seconds until a client has so many tokens; 0.0, or less, where it has. Takes nothing."""
        rate = self._overrides.get(client, self._rate)
        if not rate:
            return 0.0
        room_s = (self._burst - min(cost, self._burst)) / rate
        return max(self._full_at.get(client, 0.0), now_s) - now_s - room_s
