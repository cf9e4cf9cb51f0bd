"""A client is its key or its address, and cannot choose to be another."""

import hashlib

import pytest

from gateway.admission.clients import Clients

XFF = b"x-forwarded-for"
PROXIES = ["10.0.0.0/8", "fd00::/8"]


def test_a_key_makes_a_client_wherever_it_comes_from() -> None:
    clients = Clients()
    assert clients.identify([(b"x-api-key", b"k")], "192.0.2.1") == clients.identify([(b"x-api-key", b"k")], "::1")
    assert clients.identify([(b"x-api-key", b"k")], None) != clients.identify([(b"x-api-key", b"K")], None)


def test_a_key_is_not_kept() -> None:
    assert b"secret" not in Clients().identify([(b"x-api-key", b"secret")], None)


def test_the_hash_of_a_key_means_nothing_to_another_process() -> None:
    headers = [(b"x-api-key", b"k")]
    assert Clients().identify(headers, None) != Clients().identify(headers, None)


def test_a_listed_key_is_known_by_its_digest() -> None:
    digest = hashlib.sha256(b"k").digest()
    clients = Clients(listed=[digest], is_any_key_a_client=False)
    assert clients.identify([(b"x-api-key", b"k")], "192.0.2.1") == digest
    assert clients.identify([(b"x-api-key", b"other")], "192.0.2.1") == b"192.0.2.1"


def test_an_empty_key_is_none() -> None:
    assert Clients().identify([(b"x-api-key", b"")], "192.0.2.1") == b"192.0.2.1"


def test_the_header_of_the_key_can_be_named() -> None:
    clients = Clients(api_key_header="X-Client")
    assert clients.identify([(b"x-client", b"k")], "192.0.2.1").startswith(b"key:")


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        pytest.param("192.0.2.7", b"192.0.2.7", id="v4"),
        pytest.param("2001:db8::1:2:3:4", b"2001:db8::/64", id="v6-by-network"),
        pytest.param("fe80::1%eth0", b"fe80::/64", id="v6-with-a-zone"),
        pytest.param("::ffff:192.0.2.7", b"192.0.2.7", id="v4-in-v6"),
        pytest.param(None, b"local", id="unix-socket"),
        pytest.param("testclient", b"local", id="no-address"),
    ],
)
def test_without_a_key_the_address_counts(peer: str | None, client: bytes) -> None:
    assert Clients().identify([], peer) == client


def test_nobody_is_believed_who_is_no_proxy() -> None:
    assert Clients().identify([(XFF, b"6.6.6.6")], "192.0.2.7") == b"192.0.2.7"
    assert Clients().identify([(XFF, b"6.6.6.6")], None) == b"local"
    assert Clients(trusted_proxies=PROXIES).identify([(XFF, b"6.6.6.6")], "192.0.2.7") == b"192.0.2.7"
    assert Clients(trusted_proxies=PROXIES).identify([(XFF, b"6.6.6.6")], "10.evil") == b"local"


@pytest.mark.parametrize(
    ("values", "client"),
    [
        pytest.param([b"192.0.2.7"], b"192.0.2.7", id="one-hop"),
        pytest.param([b"6.6.6.6, 192.0.2.7"], b"192.0.2.7", id="client-wrote-one-itself"),
        pytest.param([b"6.6.6.6", b"192.0.2.7"], b"192.0.2.7", id="client-wrote-a-header-itself"),
        pytest.param([b"192.0.2.7, 10.1.1.1"], b"192.0.2.7", id="through-two-proxies"),
        pytest.param([b"192.0.2.7, fd00::1"], b"192.0.2.7", id="through-a-v6-proxy"),
        pytest.param([b"192.0.2.7:4711"], b"192.0.2.7", id="with-a-port"),
        pytest.param([b"[2001:db8::9]:4711"], b"2001:db8::/64", id="v6-with-a-port"),
        pytest.param([b"10.2.2.2, 10.1.1.1"], b"10.2.2.2", id="all-are-proxies"),
        pytest.param([b"6.6.6.6, nonsense"], b"10.0.0.1", id="nonsense-ends-the-chain"),
        pytest.param([b"6.6.6.6, nonsense, 10.1.1.1"], b"10.1.1.1", id="nonsense-behind-a-proxy"),
        pytest.param([b""], b"10.0.0.1", id="empty"),
        pytest.param([b"\xff\xfe"], b"10.0.0.1", id="no-text"),
        pytest.param([], b"10.0.0.1", id="absent"),
    ],
)
def test_a_proxy_is_believed_as_far_as_it_wrote(values: list[bytes], client: bytes) -> None:
    clients = Clients(trusted_proxies=PROXIES)
    assert clients.identify([(XFF, value) for value in values], "10.0.0.1") == client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        pytest.param(b"for=192.0.2.7", b"192.0.2.7", id="plain"),
        pytest.param(b'by=_us; FOR="[2001:db8::9]:80";proto=https', b"2001:db8::/64", id="quoted-v6"),
        pytest.param(b"for=6.6.6.6, for=192.0.2.7, for=10.1.1.1", b"192.0.2.7", id="chain"),
        pytest.param(b"for=6.6.6.6, for=_hidden", b"10.0.0.1", id="hidden"),
        pytest.param(b"for=6.6.6.6, proto=https", b"10.0.0.1", id="without-for"),
    ],
)
def test_forwarded_is_read_where_the_proxies_write_it(value: bytes, client: bytes) -> None:
    clients = Clients(trusted_proxies=PROXIES, forwarded_header="forwarded")
    assert clients.identify([(b"forwarded", value), (XFF, b"7.7.7.7")], "10.0.0.1") == client


def test_a_header_that_the_proxies_pass_on_unread_is_not_looked_at() -> None:
    clients = Clients(trusted_proxies=PROXIES)
    assert clients.identify([(b"forwarded", b"for=6.6.6.6"), (XFF, b"192.0.2.7")], "10.0.0.1") == b"192.0.2.7"


def test_a_unix_socket_is_a_proxy_where_there_are_any() -> None:
    assert Clients(trusted_proxies=PROXIES).identify([(XFF, b"192.0.2.7")], None) == b"192.0.2.7"


def test_a_long_chain_is_read_from_its_near_end_only() -> None:
    chain = b"192.0.2.7" + b", 10.1.1.1" * 5_000
    assert Clients(trusted_proxies=PROXIES).identify([(XFF, chain)], "10.0.0.1") == b"10.1.1.1"


def test_a_parser_is_told_which_headers_matter() -> None:
    assert Clients().needs == {b"x-api-key"}
    assert Clients(trusted_proxies=PROXIES).needs == {b"x-api-key", XFF}
