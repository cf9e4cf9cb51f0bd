"""What a request's head may be, checked between the parser and the protocol: the same rules for both ways in."""

from __future__ import annotations

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import HeadTooLarge, RequestMalformed

__all__ = ["HEAD_BYTES", "CheckedHead"]

HEAD_BYTES = 65_536
"""Request target, names and values of all headers, and 32 for each of them: some 2,000 at most."""

_PER_HEADER = 32
_TELLING = frozenset((b"expect", b"host", b"transfer-encoding"))
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")


class CheckedHead:
    """A connection's protocol as its parser sees it: what it passes on is bounded, and says once for which host.

    The parser keeps the part of a header that has come until it is whole, so ``note`` is told of all bytes before the
    parser is, and ``check`` is asked afterwards. A trailer of a chunked body is no header: it is counted and dropped.

    Notes
    -----
    An exception in a callback makes the parser raise its own, whose ``__context__`` it then is.
    """

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self.is_head = self.is_open = self.is_put_off = False
        self.codings: list[bytes] = []
        self._hosts: list[bytes] = []
        self._left, self._open_bytes = HEAD_BYTES, 0

    def note(self, size: int) -> None:
        """Count what comes where a head, or what may be a trailer, is open."""
        self._open_bytes += size

    def check(self) -> None:
        """Raise ``HeadTooLarge`` for an open head that is too large already."""
        if self._open_bytes > HEAD_BYTES:
            raise HeadTooLarge(HEAD_BYTES)

    def on_message_begin(self) -> None:
        """Open a head."""
        self.is_head = self.is_open = True
        self._left, self._open_bytes = HEAD_BYTES, 0
        self._hosts, self.codings = [], []
        self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a part of the request target, and keep it as uvicorn would."""
        self._spend(len(url))
        self._protocol.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, and keep it as uvicorn would."""
        self._left = left = self._left - len(name) - len(value) - _PER_HEADER
        if left < 0:
            raise HeadTooLarge(HEAD_BYTES)
        if not self.is_head:
            return
        name = name.lower()
        if value.endswith((b" ", b"\t")):
            value = value.rstrip(b" \t")  # no part of a value (RFC 9110, section 5.5), though the parser leaves it
        if name in _TELLING:
            self._heed(name, value)
        self._protocol.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Close the head."""
        self.is_open = False
        self._check_host()
        if self._protocol.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self._protocol.headers):
            self.is_put_off = True
            return
        self._protocol.on_headers_complete()
        self.is_head = False

    def on_message_complete(self) -> None:
        """Pass on that a request has arrived whole, as the parser says at once of one that asks for an upgrade."""
        if not self.is_put_off:
            self._protocol.on_message_complete()

    def without_upgrade(self) -> bytes:
        """Return the head that was put off, for another parser, without what it asks for.

        A server may ignore ``Upgrade`` (RFC 9110, section 7.8), and no other protocol is spoken here. The parser knows
        only one that does not, and passes over the request's body.
        """
        self.is_put_off = False
        protocol = self._protocol
        version = protocol.parser.get_http_version().encode("ascii")
        lines = [b"%b: %b\r\n" % pair for pair in protocol.headers if pair[0] != b"upgrade"]
        return b"%b %b HTTP/%b\r\n%b\r\n" % (protocol.parser.get_method(), protocol.url, version, b"".join(lines))

    def on_chunk_header(self) -> None:
        """Take into account that trailers may follow."""
        self._open()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self.is_open = False
        self._protocol.on_body(body)

    def on_chunk_complete(self) -> None:
        """Close what the chunk's header opened."""
        self.is_open = False

    def _open(self) -> None:
        self.is_open, self._open_bytes = True, 0

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise HeadTooLarge(HEAD_BYTES)

    def _heed(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts.append(value)
        elif name == b"transfer-encoding":
            self.codings.append(value.lower())
        elif value.lower() == b"100-continue":
            self._protocol.expect_100_continue = True

    def _check_host(self) -> None:
        hosts = self._hosts
        if len(hosts) != 1 and (hosts or self._protocol.parser.get_http_version() == "1.1"):
            raise RequestMalformed(f"a request has one host header; this one has {len(hosts)}")
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise RequestMalformed("the host header names no host")
