"""The door: whose request it is, and whether that client has any left of its quota."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from time import perf_counter

from gateway.admission.clients import Clients
from gateway.admission.quotas import Quotas
from gateway.errors import QuotaExceeded
from gateway.metrics.shared import SharedCounters
from gateway.settings import AdmissionSettings

__all__ = ["Door"]


class Door:
    """Quotas of one worker, asked before a body is waited for. On the event loop only.

    Attributes
    ----------
    is_open
        True where there are no quotas: then do not even ask who the client is.
    """

    def __init__(self, settings: AdmissionSettings, counters: SharedCounters) -> None:
        overrides = {bytes.fromhex(digest): rate for digest, rate in settings.quota_overrides.items()}
        self._clients = Clients(
            api_key_header=settings.api_key_header,
            listed=overrides,
            is_any_key_a_client=settings.unlisted_keys == "accept",
            trusted_proxies=settings.trusted_proxies,
            forwarded_header=settings.forwarded_header,
        )
        self._quotas = Quotas(
            requests_per_s=settings.quota_requests_per_s,
            burst=settings.quota_burst,
            clients=settings.quota_clients,
            overrides=overrides,
        )
        self._refused = counters.counter("weir_quota_refused_total")
        self.is_open = self._quotas.is_off
        self.needs = self._clients.needs

    def client(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> bytes:
        """Return what a request's client counts under."""
        return self._clients.identify(headers, peer)

    def pass_through(self, client: bytes) -> None:
        """Take one request from a client's quota.

        Raises
        ------
        gateway.errors.QuotaExceeded
        """
        wait_s = self._quotas.take(client, perf_counter())
        if wait_s > 0.0:
            self._refused.inc()
            raise QuotaExceeded(ceil(wait_s))

    def may_pass(self, client: bytes) -> bool:
        """Return whether a client has one request left; takes nothing."""
        return self._quotas.wait_s(client, perf_counter()) <= 0.0

    def turned_away(self, client: bytes, count: int) -> QuotaExceeded:
        """Count requests that came together from a client that may not pass; return what to tell it."""
        self._refused.inc(count)
        return QuotaExceeded(max(ceil(self._quotas.wait_s(client, perf_counter())), 1))
