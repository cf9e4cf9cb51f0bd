"""Bearer tokens: where the configured one comes from, and who passes with which."""

import pytest
from starlette.requests import Request

from gateway.access.caller import Caller
from gateway.access.tokens import new_token
from gateway.errors import CredentialsExpired, CredentialsInvalid, CredentialsMissing
from gateway.http.auth import BearerToken
from tests.serving import HandClock


def request(*authorization: str) -> Request:
    headers = [(b"authorization", value.encode("latin-1")) for value in authorization]
    return Request({"type": "http", "headers": headers, "client": ("10.0.0.9", 1234)})


def test_the_configured_token_names_an_admin() -> None:
    caller = BearerToken("s3cret")(request("bearer s3cret"))
    assert caller == Caller("admin", ("admin",), "configured", "configured", address="10.0.0.9")


@pytest.mark.parametrize("authorization", [[], ["Basic czNjcmV0"], ["s3cret"], [""]])
def test_without_a_bearer_token_credentials_are_missing(authorization: list[str]) -> None:
    with pytest.raises(CredentialsMissing):
        BearerToken("s3cret")(request(*authorization))


@pytest.mark.parametrize("token", ["", "S3cret", "s3cre", "s3cret ss", "\xff"])
def test_another_token_is_invalid(token: str) -> None:
    with pytest.raises(CredentialsInvalid):
        BearerToken("s3cret")(request(f"Bearer {token}"))


def test_a_token_of_the_store_names_its_owner_until_the_second_in_which_it_expires() -> None:
    clock = HandClock(1_000.9)
    text, token = new_token("ann", "operator", now_s=clock.now_s, by="admin", expires_in_s=60)
    check = BearerToken("s3cret", tokens=lambda: {token.id: token}, clock=clock)
    caller = check(request(f"Bearer {text}"))
    assert caller == Caller("ann", ("operator",), "token", token.id, 1_060, address="10.0.0.9")
    clock.now_s = 1_059.999
    assert not check.is_over(check(request(f"Bearer {text}")))
    clock.now_s = 1_060.0
    assert check.is_over(caller)
    with pytest.raises(CredentialsExpired, match=r"'ann'.*1970-01-01T00:17:40"):
        check(request(f"Bearer {text}"))
    clock.now_s = 1_000.0  # a clock that was ahead and was set right
    assert check(request(f"Bearer {text}")) == caller


def test_a_revoked_token_is_worth_nothing_and_another_secret_under_its_id_neither() -> None:
    text, token = new_token("ann", "admin", now_s=0.0, by="admin", expires_in_s=None)
    other, _ = new_token("ann", "admin", now_s=0.0, by="admin", expires_in_s=None)
    tokens = {token.id: token}
    check = BearerToken("s3cret", tokens=lambda: tokens)
    caller = check(request(f"Bearer {text}"))
    for wrong in (
        text[:-1],
        text.upper(),
        text + "0",
        text[:18] + other[18:],
        other,
        f"weir_{token.id}_",
        token.digest,
    ):
        with pytest.raises(CredentialsInvalid):
            check(request(f"Bearer {wrong}"))
    tokens.clear()
    assert check.is_over(caller)
    with pytest.raises(CredentialsInvalid):
        check(request(f"Bearer {text}"))
