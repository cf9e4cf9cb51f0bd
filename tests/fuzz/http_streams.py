"""Streams of HTTP/1.1 as clients send them, and as attackers do: valid requests, changed where framing is decided."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

__all__ = ["Stream", "streams"]

GOOD = b'{"instances": [{"x": 1}]}'
INFER = b'{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}'
SMUGGLED = b"POST /predict/other HTTP/1.1\r\nhost: weir\r\ncontent-length: 2\r\n\r\n{}"
BODIES = [GOOD, GOOD, INFER, b"", b"{", b"\r\n\r\n", SMUGGLED, GOOD + b"\r\n\r\n" + SMUGGLED, b"x" * 6_000]
METHODS = [b"POST"] * 6 + [b"GET", b"PUT", b"OPTIONS", b"CONNECT", b"post", b"PRI", b"P\x00ST", b""]
TARGETS = [b"/predict/m"] * 5 + [
    b"/predict", b"/v2/models/m/infer", b"/livez", b"/predict/m/", b"/predict/m?a=b", b"http://weir/predict/m",
    b"//predict/m", b"/predict/m#f", b"/predict/%6d", b"/predict/\xc3\xa9", b"*", b"weir:80", b"/predict/m\x00", b"",
    b"/" + b"a" * 66_000, b"/predict/m /livez",
]  # fmt: skip
VERSIONS = [b"HTTP/1.1"] * 9 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b""]
HOSTS = [[b"host: weir"]] * 9 + [
    [], [b"host:"], [b"host: weir", b"host: weir"], [b"Host: weir:80", b"host: other"], [b"host : weir"],
    [b"host: a b"], [b"host: a/b@c"], [b"hos\tt: weir"], [b"host: [::1]:80"],
]  # fmt: skip
LINES = [
    b"connection: close", b"connection: keep-alive", b"connection: upgrade", b"upgrade: h2c", b"expect: 100-continue",
    b"expect: more", b"content-type: text/csv", b"content-type: application/json", b"content-encoding: br",
    b"content-encoding: zstd", b"x-request-id: n-1", b"x-request-id: <n>", b" folded", b"\tfolded", b"x: a\x00b",
    b"x: a\rb", b"x", b": x", b"x y: z", b"x:" + b" " * 300 + b"y", b"x-long: " + b"a" * 66_000,
    b"trailer: x-request-id",
    b"transfer-encoding: chunked", b"Transfer-Encoding: xchunked", b"transfer-encoding: chunked, chunked",
    b"transfer-encoding: gzip, chunked", b"transfer-encoding:\x0bchunked", b"transfer-encoding : chunked",
    b"transfer-encoding: identity", b"transfer-encoding:", b"content-length: 0", b"content-length: 25",
    b"content-length: +25", b"content-length: 0x19", b"content-length: 025", b"content-length: 25, 25",
    b"content-length: 25 0", b"content-length: -1", b"content-length:", b"content-length : 25",
    b"content-length: 18446744073709551641", b"content-length: 1e1", b"content-length: 9999999",
    b"inference-header-content-length: 5", b"keep-alive: timeout=1",
]  # fmt: skip
MANY_LINES = [b"x-%d: y" % i for i in range(3_000)]
CHUNKED = [
    lambda body: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n",
    lambda body: b"%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (len(body) or 1, body or b" "),
    lambda body: b"%x\r\n%b\r\n0\r\nx-request-id: last\r\nhost: 3\r\n\r\n" % (len(body) or 1, body or b" "),
    lambda body: b"%x\n%b\r\n0\r\n\r\n" % (len(body), body),
    lambda body: b"%x\r\n%b0\r\n\r\n" % (len(body), body),
    lambda body: b"-%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    lambda body: b"fffffffffffffffff\r\n%b" % body,
    lambda body: b"%x\r\n%b\r\n0\r\nx: %b\r\n\r\n" % (len(body) or 1, body or b" ", b"a" * 66_000),
]


@dataclass(frozen=True)
class Stream:
    """What one client sends, cut into what is received at once."""

    data: bytes
    cuts: tuple[int, ...]

    def segments(self) -> list[bytes]:
        """Return the pieces."""
        places = [0, *sorted({cut % (len(self.data) + 1) for cut in self.cuts}), len(self.data)]
        return [self.data[a:b] for a, b in pairwise(places) if a < b]


def _mostly(usual: bytes, *others: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([usual] * 9 + list(others))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Give one request, of which most parts are as they should be."""
    body = draw(st.sampled_from(BODIES))
    lines = [*draw(st.sampled_from(HOSTS)), *draw(st.lists(st.sampled_from(LINES), max_size=2))]
    if draw(st.integers(0, 40)) == 40:
        lines += MANY_LINES
    match draw(st.sampled_from(["length"] * 5 + ["off", "chunked", "nothing"])):
        case "length":
            lines.append(b"content-length: %d" % len(body))
        case "off":
            lines.append(b"content-length: %d" % max(0, len(body) + draw(st.integers(-30, 30))))
        case "chunked":
            lines.append(b"transfer-encoding: chunked")
            body = draw(st.sampled_from(CHUNKED))(body)
    first = b" ".join([draw(st.sampled_from(part)) for part in (METHODS, TARGETS, VERSIONS)])
    end = draw(_mostly(b"\r\n", b"\n", b"\r\r\n"))
    before = draw(_mostly(b"", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\x00"))
    return before + end.join([first, *draw(st.permutations(lines)), b"", b""]) + body


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Give requests behind one another: the same again, nearly the same again, others; then a byte of it changed."""
    pool = draw(st.lists(requests(), min_size=1, max_size=3))
    data = b"".join(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4)))
    if draw(st.integers(0, 3)) == 3:
        place, byte = draw(st.integers(0, 400)) % (len(data) + 1), draw(st.binary(max_size=2))
        data = data[:place] + byte + data[place + draw(st.integers(0, 2)) :]
    return Stream(data, tuple(draw(st.lists(st.integers(0, 500), max_size=6))))
