"""Asks an OpenID Connect issuer for its keys: discovery first, then the key set; bounded in time and bytes."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.access.issuer import is_safe
from gateway.access.issuer_keys import IssuerKeys, KeyName
from gateway.errors import IssuerUnavailable
from gateway.settings import OidcSettings
from monitors.ports import Clock

if TYPE_CHECKING:
    import httpx
    from jwt import PyJWK

    from gateway.access.issued import IssuedTokens

__all__ = ["fetch_key_set", "open_issuer"]

_BYTES, _SECONDS = 1 << 20, 10.0


def open_issuer(settings: OidcSettings, issuer: str, clock: Clock) -> IssuedTokens:
    """Return what checks an issuer's tokens; its ``keys`` are to be ticked, and know nothing before."""
    from gateway.access.issued import IssuedTokens, read_keys  # what checks signatures is loaded for an issuer only

    # Of its own, for nobody waits for it at the end: an issuer that hangs holds up no stop.
    thread = ThreadPoolExecutor(1, thread_name_prefix="weir-issuer")

    async def fetch() -> Mapping[KeyName, PyJWK]:
        found = asyncio.get_running_loop().run_in_executor(thread, fetch_key_set, issuer, settings.ca_file)
        return read_keys(await found, settings.algorithms)

    return IssuedTokens(settings, IssuerKeys(fetch, clock, refresh_s=settings.refresh_s))


def fetch_key_set(issuer: str, ca_file: Path | None = None) -> Mapping[str, Any]:
    """Return the issuer's JSON Web Key Set. Blocks.

    Raises
    ------
    IssuerUnavailable
        The issuer, or where it keeps its keys, does not answer within ten seconds each, with JSON of at most a MiB, or
        calls itself by another name.
    """
    import httpx  # here, in this thread: importing it would take a sixth of a worker's start

    try:
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
        with httpx.Client(timeout=_SECONDS, follow_redirects=False, verify=trust) as client:
            about = _document(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != issuer:
                raise IssuerUnavailable(f"{issuer} calls itself {str(about.get('issuer'))[:200]!r}")
            where = about.get("jwks_uri")
            if not isinstance(where, str) or not is_safe(where, like=issuer):
                raise IssuerUnavailable(f"{issuer} names no https:// place of its keys")
            return _document(client, where)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
        raise IssuerUnavailable(f"{issuer}: {str(error)[:300] or type(error).__name__}") from error


def _document(client: httpx.Client, url: str) -> Mapping[str, Any]:
    until, body = time.monotonic() + _SECONDS, b""
    with client.stream("GET", url, headers={"accept": "application/json"}) as answer:
        if answer.status_code != 200:
            raise IssuerUnavailable(f"{url} answers {answer.status_code}")
        for part in answer.iter_bytes():
            body += part
            if len(body) > _BYTES or time.monotonic() > until:
                raise IssuerUnavailable(f"{url} sends more than {_BYTES} bytes, or takes too long over it")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise IssuerUnavailable(f"{url} answers no JSON object")
    return document
