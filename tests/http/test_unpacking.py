"""Bodies packed by gzip or zstd: unpacked once, never beyond the limit, and to their very end."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BodyMalformed, BodyTooLarge, EncodingUnsupported
from gateway.http.unpacking import Encoding, encoding_of, unpacked

PACK: dict[Encoding, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress}
ENCODINGS = pytest.mark.parametrize("encoding", ["gzip", "zstd"])
PLAIN = b'{"instances": [[1, 2, 3]]}' * 40
UNSIZED = zstandard.ZstdCompressor(write_content_size=False).compress(PLAIN)
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


@ENCODINGS
@given(plain=st.binary(max_size=5_000) | st.binary(max_size=20).map(lambda piece: piece * 300))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_was_packed_comes_back(encoding: Encoding, plain: bytes) -> None:
    packed = PACK[encoding](plain)
    assert unpacked(packed, encoding, len(plain)) == plain
    if plain:
        with pytest.raises(BodyTooLarge, match="bytes after decompression"):
            unpacked(packed, encoding, len(plain) - 1)


@ENCODINGS
@given(place=st.integers(0, 400), junk=st.binary(max_size=3), cut=st.integers(0, 2))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_damaged_bytes_are_refused_or_unpacked_within_the_limit(
    encoding: Encoding, place: int, junk: bytes, cut: int
) -> None:
    packed = PACK[encoding](PLAIN)
    damaged = packed[:place] + junk + packed[place + cut :]
    try:
        plain = unpacked(damaged, encoding, 2_000)
    except (BodyMalformed, BodyTooLarge):
        return
    assert len(plain) <= 2_000


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("zstd", zstandard.compress(PLAIN)[:-1], id="cut off"),
        pytest.param("zstd", UNSIZED[:-1], id="cut off, of unknown size"),
        pytest.param("zstd", zstandard.compress(PLAIN) * 2, id="two frames"),
        pytest.param("zstd", zstandard.compress(PLAIN) + b"x", id="a byte behind it"),
        pytest.param("zstd", zstandard.compress(PLAIN) + b"x" * 1_000, id="many bytes behind it"),
        pytest.param("zstd", SKIPPABLE + zstandard.compress(PLAIN), id="a skippable frame"),
        pytest.param("zstd", gzip.compress(PLAIN), id="gzip"),
        pytest.param("zstd", PLAIN, id="plain"),
        pytest.param("zstd", b"", id="nothing"),
        pytest.param("gzip", zlib.compress(PLAIN), id="deflate"),
        pytest.param("gzip", gzip.compress(PLAIN) + b"\0", id="padding"),
    ],
)
def test_what_is_not_one_whole_frame_is_refused(encoding: Encoding, packed: bytes) -> None:
    with pytest.raises(BodyMalformed):
        unpacked(packed, encoding, 100_000)


def test_a_frame_that_wants_a_large_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = packed.compress(bytes(1_000)) + packed.flush()
    with pytest.raises(BodyMalformed, match="window of at most 8 MiB"):
        unpacked(body, "zstd", 100_000)


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        pytest.param("gzip", gzip.compress(bytes(50_000_000)), id="gzip"),
        pytest.param("zstd", zstandard.compress(bytes(500_000_000)), id="zstd"),
    ],
)
def test_a_bomb_is_given_up_before_it_takes_memory(encoding: Encoding, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            unpacked(bomb, encoding, 100_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([b""], None),
        ([b"identity"], None),
        ([b"identity, identity"], None),
        ([b"GZip"], "gzip"),
        ([b"x-gzip"], "gzip"),
        ([b" zstd "], "zstd"),
        ([b"identity", b"zstd"], "zstd"),
    ],
    ids=str,
)
def test_an_encoding_is_known_by_its_names(values: list[bytes], expected: str | None) -> None:
    assert encoding_of([(b"content-encoding", value) for value in values]) == expected


@pytest.mark.parametrize(
    "values", [[b"br"], [b"gzip", b"gzip"], [b"gzip, zstd"], [b"identity;q=1"], [b"\xff"]], ids=str
)
def test_another_encoding_is_refused(values: list[bytes]) -> None:
    with pytest.raises(EncodingUnsupported):
        encoding_of([(b"content-encoding", value) for value in values])
