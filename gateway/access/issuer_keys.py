"""What is known of an issuer's keys, and when it is time to ask for them: never while a request waits."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import IssuerUnavailable
from monitors.ports import Clock

if TYPE_CHECKING:
    import jwt

__all__ = ["IssuerKeys", "KeyName"]

KeyName: TypeAlias = tuple[str, str]
"""Id and algorithm."""

_LEAST_PAUSE_S = 30.0
_RETRY_S = 5.0
_log = logging.getLogger("weir.access")


class IssuerKeys:
    """The keys of an issuer by id and algorithm, as they were last fetched. On the event loop.

    They are fetched at the start, every ``refresh_s``, and after a token named one that is not known, then half a
    minute after the last time at the soonest: whatever tokens name, an issuer is asked twice a minute at most. One that
    does not answer is asked again every five seconds; what was known of it stays known meanwhile.

    Parameters
    ----------
    fetch
        Asks the issuer; raises ``IssuerUnavailable``.

    Attributes
    ----------
    are_known
        Whether the issuer has ever answered.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Mapping[KeyName, jwt.PyJWK]]], clock: Clock, *, refresh_s: float
    ) -> None:
        self._fetch, self._clock, self._refresh_s = fetch, clock, refresh_s
        self._keys: Mapping[KeyName, jwt.PyJWK] = {}
        self._due_at, self._asked_at = clock.monotonic_s(), -1e9
        self._is_answering, self.are_known = True, False

    def find(self, identity: str, algorithm: str) -> jwt.PyJWK | None:
        """Return a key; one that is not known is looked for at the issuer, soon and not now."""
        key = self._keys.get((identity, algorithm))
        if key is None:
            self._due_at = min(self._due_at, max(self._asked_at + _LEAST_PAUSE_S, self._clock.monotonic_s()))
        return key

    async def tick(self) -> None:
        """Ask the issuer if it is time to."""
        if self._clock.monotonic_s() < self._due_at:
            return
        self._asked_at = self._clock.monotonic_s()
        self._due_at = self._asked_at + _RETRY_S
        try:
            keys = await self._fetch()
        except IssuerUnavailable as error:
            if self._is_answering:
                _log.warning("the keys of the issuer are not to be had, known ones go on: %s", error)
            self._is_answering = False
            return
        if not keys and (self._keys or not self.are_known):
            _log.warning("the issuer has no key for the algorithms that are accepted: its tokens are refused")
        if not self._is_answering:
            _log.info("the issuer answers again")
        self._keys, self._is_answering, self.are_known = keys, True, True
        self._due_at = self._clock.monotonic_s() + self._refresh_s
