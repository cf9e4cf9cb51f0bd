"""Who a client is: its API key, kept only as a keyed hash, or else the address that it comes from.

Only what the gateway can trust counts. The address of the connection cannot be chosen by a client; what a forwarding
header says is believed only as far as configured proxies wrote it, read from its right end, where the nearest appends.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b, sha256
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

__all__ = ["Clients"]

_HASH_BYTES = 16
_MOST_HOPS = 32
_LONGEST_ADDRESS = 64
_REMEMBERED = 4096
"""Addresses whose text was read before: reading an IPv6 address takes ten microseconds, finding it again a tenth."""
_LOCAL = b"local"
_Address = IPv4Address | IPv6Address


class Clients:
    """Tells clients apart without keeping what they sent.

    Parameters
    ----------
    api_key_header
        Header with a client's API key. Whoever presents a key is that key; it is no admission by itself.
    listed
        SHA-256 digests of keys that are known, whose clients are told apart by these.
    is_any_key_a_client
        Whether a key that is not listed makes a client too. A client may then make up keys, and be as many clients.
    trusted_proxies
        Networks (CIDR) of the proxies whose forwarding header is believed. Where there are any, whoever connects by a
        Unix socket is one.
    forwarded_header
        The header that these proxies write. A proxy passes on what it does not write, so no other one is looked at.
    salt
        Of the hash; drawn anew by each process, so that hashes are of no use outside it.

    Attributes
    ----------
    needs
        The headers that ``identify`` looks at, for a parser that passes on only those.

    Notes
    -----
    About a microsecond. Of clients it remembers the text of some thousand addresses, and no key.

    Examples
    --------
    >>> clients = Clients(trusted_proxies=["10.0.0.0/8"])
    >>> clients.identify([(b"x-forwarded-for", b"6.6.6.6, 192.0.2.7")], "10.0.0.1")
    b'192.0.2.7'
    >>> clients.identify([(b"x-forwarded-for", b"6.6.6.6")], "192.0.2.7")
    b'192.0.2.7'
    """

    def __init__(
        self,
        *,
        api_key_header: str = "x-api-key",
        listed: Collection[bytes] = (),
        is_any_key_a_client: bool = True,
        trusted_proxies: Sequence[str] = (),
        forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for",
        salt: bytes | None = None,
    ) -> None:
        self._listed, self._is_any_key_a_client = frozenset(listed), is_any_key_a_client
        self._key_header = api_key_header.lower().encode("latin-1")
        self._proxies = [ip_network(network) for network in trusted_proxies]
        self._salt = os.urandom(_HASH_BYTES) if salt is None else salt
        self._forwarded_header = forwarded_header.encode("ascii")
        self._is_standard = forwarded_header == "forwarded"
        self.needs = frozenset((self._key_header, *((self._forwarded_header,) if self._proxies else ())))

    def identify(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> bytes:
        """Return what a client counts under: at most 36 bytes that hold no secret.

        Parameters
        ----------
        headers
            Pairs with lower-case names.
        peer
            The address that the connection comes from; ``None`` for a Unix socket, whose clients are one.
        """
        for name, value in headers:
            if name == self._key_header and value:
                return self._key(value) or self._source(headers, peer)
        return self._source(headers, peer)

    def _key(self, key: bytes) -> bytes | None:
        if self._listed and (digest := sha256(key).digest()) in self._listed:
            return digest
        if not self._is_any_key_a_client:
            return None
        return b"key:" + blake2b(key, key=self._salt, digest_size=_HASH_BYTES).digest()

    def _source(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> bytes:
        address = None if peer is None else _parsed(peer)
        if self._proxies and (peer is None or self._is_proxy(address)):
            address = self._forwarded(headers, address)
        return _LOCAL if address is None else _network(address)

    def _forwarded(self, headers: Sequence[tuple[bytes, bytes]], address: _Address | None) -> _Address | None:
        """Walk from the nearest proxy outwards to the first address that is no proxy of ours."""
        for element in self._hops(headers):
            hop = _parsed(_for_of(element) if self._is_standard else element.strip())
            if hop is None:
                return address
            address = hop
            if not self._is_proxy(hop):
                break
        return address

    def _hops(self, headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
        """Return what proxies wrote, the nearest first, and no more of it than a chain of proxies needs."""
        text = b",".join([value for name, value in headers if name == self._forwarded_header]).decode("latin-1")
        return text.rsplit(",", _MOST_HOPS)[: -_MOST_HOPS - 1 : -1]

    def _is_proxy(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


def _for_of(element: str) -> str:
    """Return the ``for`` of an element of ``Forwarded``, without its quotes.

    >>> _for_of('proto=https; For="[2001:db8::1]:4711"')
    '[2001:db8::1]:4711'
    """
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            return value.strip().strip('"')
    return ""


def _parsed(text: str) -> _Address | None:
    return _read(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(_REMEMBERED)
def _read(text: str) -> _Address | None:
    """Read an address, with a port or without; ``None`` for what is none, such as ``unknown`` or ``_hidden``.

    >>> _read("192.0.2.7:80"), _read("[::1]:80"), _read("::ffff:192.0.2.7"), _read("unknown")
    (IPv4Address('192.0.2.7'), IPv6Address('::1'), IPv4Address('192.0.2.7'), None)
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(_REMEMBERED)
def _network(address: _Address) -> bytes:
    """Return an IPv4 address, or the /64 of an IPv6 one: whoever has one address there has all of them."""
    if isinstance(address, IPv4Address):
        return str(address).encode("ascii")
    return str(IPv6Network((int(address) >> 64 << 64, 64))).encode("ascii")
