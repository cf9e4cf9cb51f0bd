"""Tokens of an issuer, asked over HTTP: who is let in, by which keys, and what no token can bring about."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.access.caller import Caller
from gateway.access.tokens import new_token
from gateway.errors import CredentialsExpired, CredentialsInvalid, IssuerUnavailable
from gateway.http.auth import BearerToken
from gateway.http.issuer import open_issuer
from gateway.settings import OidcSettings
from tests.access.issuer import AUDIENCE, LocalIssuer
from tests.serving import HandClock

ROLES: Any = {"ops": "operator", "risk": "approver", "root": "admin"}


class Gate:
    """A token check that trusts an issuer, with a clock for its looks at the keys."""

    def __init__(self, issuer: LocalIssuer, **settings: Any) -> None:
        self.clock = HandClock()
        oidc = OidcSettings(**{"issuer": issuer.url, "audience": AUDIENCE, "roles": ROLES, **settings})
        issued = open_issuer(oidc, oidc.issuer or "", self.clock)
        self.keys, self._issuer = issued.keys, issuer
        text, token = new_token("vera", "viewer", now_s=0.0, by="admin", expires_in_s=None)
        self.local = text
        self._check = BearerToken("t", tokens=lambda: {token.id: token}, issued=issued.caller)

    def look(self, after_s: float = 0.0) -> int:
        """Let time go by and tick; return how often the issuer was asked for its keys then."""
        before = self._issuer.asked["/keys"]
        self.clock.now_s += after_s
        asyncio.run(self.keys.tick())
        return self._issuer.asked["/keys"] - before

    def __call__(self, token: str) -> Caller:
        return self._check.caller(f"Bearer {token}", "10.0.0.9")

    def refusal(self, token: str) -> str:
        with pytest.raises(CredentialsInvalid) as told:
            self(token)
        return str(told.value)


@pytest.fixture(scope="module")
def made() -> Iterator[LocalIssuer]:
    with LocalIssuer() as issuer:
        issuer.keys["other"] = rsa.generate_private_key(65_537, 2_048)
        yield issuer


@pytest.fixture
def issuer(made: LocalIssuer) -> LocalIssuer:
    """Give the issuer as it is at first, whatever a test made of it."""
    made.status = 200
    made.documents = {
        "/.well-known/openid-configuration": {"issuer": made.url, "jwks_uri": f"{made.url}/keys"},
    }
    made.publish("rsa", "ec")
    return made


@pytest.fixture
def gate(issuer: LocalIssuer) -> Gate:
    gate = Gate(issuer)
    assert gate.look() == 1
    return gate


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_a_token_of_the_issuer_names_a_caller_with_the_roles_that_its_claims_are_mapped_to(
    gate: Gate, issuer: LocalIssuer, key: str
) -> None:
    exp = int(time.time()) + 600
    caller = gate(issuer.token(key, roles=["risk", "else", "ops", 7], jti="j-1", exp=exp))
    assert caller == Caller("ann", ("operator", "approver"), "oidc", "j-1", exp + 30, "oidc", "10.0.0.9")
    assert gate(issuer.token(key, aud=["else", AUDIENCE], roles="root other")).roles == ("admin",)
    assert gate(issuer.token(key, roles=None)).roles == ()
    assert gate(issuer.token(key, roles={"ops": True})).roles == ()


def test_roles_and_subject_are_found_where_the_settings_say(issuer: LocalIssuer) -> None:
    gate = Gate(issuer, roles_claim="/realm_access/roles", subject_claim="email")
    gate.look()
    caller = gate(issuer.token(realm_access={"roles": ["root"]}, email="ann@example.org"))
    assert (caller.subject, caller.roles) == ("ann@example.org", ("admin",))
    assert gate(issuer.token(realm_access=["root"], email="ann@example.org")).roles == ()
    for nobody in (None, "", 7, "a" * 257, "a\u202eb", "a\nb"):
        assert "'email' names nobody" in gate.refusal(issuer.token(email=nobody))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        pytest.param({"aud": "another"}, "Audience", id="audience"),
        pytest.param({"aud": None}, 'missing the "aud"', id="no audience"),
        pytest.param({"iss": "https://evil.example"}, "issuer", id="issuer"),
        pytest.param({"iss": None}, 'missing the "iss"', id="no issuer"),
        pytest.param({"exp": None}, 'missing the "exp"', id="no end"),
        pytest.param({"exp": "soon"}, "must be an integer", id="odd end"),
        pytest.param({"nbf": time.time() + 3_600}, "not yet valid", id="not yet"),
        pytest.param({"iat": time.time() + 3_600}, "not yet valid", id="of tomorrow"),
        pytest.param({"sub": 7}, "Subject", id="odd subject"),
    ],
)
def test_a_token_for_others_or_without_an_end_is_refused_and_told_why(
    gate: Gate, issuer: LocalIssuer, claims: dict[str, Any], why: str
) -> None:
    assert why in gate.refusal(issuer.token(**claims))


def test_an_end_is_kept_up_to_the_leeway(gate: Gate, issuer: LocalIssuer) -> None:
    now = int(time.time())
    assert gate(issuer.token(exp=now - 10)).subject == "ann"
    with pytest.raises(CredentialsExpired, match="the token of the issuer expired at 20"):
        gate(issuer.token(exp=now - 31))
    with pytest.raises(CredentialsExpired):
        gate(issuer.token(exp=-(10**17)))


def test_no_algorithm_but_those_of_the_settings_opens_and_no_public_key_makes_a_token(
    gate: Gate, issuer: LocalIssuer
) -> None:
    public = issuer.keys["rsa"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _, claims, signature = issuer.token().split(".")
    for forged in (
        issuer.token(algorithm="RS512"),
        signed("HS256", claims, pem),
        signed("HS256", claims, json.dumps(issuer.public("rsa")).encode()),
        f"{part({'alg': 'none', 'kid': 'rsa'})}.{claims}.",
        f"{part({'alg': 'None', 'kid': 'rsa'})}.{claims}.{signature}",
        f"{part({'alg': ['RS256'], 'kid': 'rsa'})}.{claims}.{signature}",
        f"{part({'kid': 'rsa'})}.{claims}.{signature}",
    ):
        assert "not valid here" in gate.refusal(forged)


def test_a_signature_is_checked_by_the_key_that_the_issuer_has_and_by_none_that_comes_along(
    gate: Gate, issuer: LocalIssuer
) -> None:
    header, claims, signature = issuer.token().split(".")
    changed = part({**json.loads(unpacked(claims)), "roles": ["root"]})
    other = issuer.public("other")
    for forged in (
        f"{header}.{changed}.{signature}",
        f"{header}.{claims}.",
        issuer.token("other", headers={"kid": "rsa"}),
        issuer.token("other", headers={"kid": "rsa", "jwk": other, "jku": f"{issuer.url}/mine"}),
        issuer.token("ec", headers={"kid": "rsa"}),
        issuer.token("rsa", headers={"kid": "ec"}),
        f"{part({'alg': 'RS256', 'kid': 7})}.{claims}.{signature}",
        issuer.token(headers={"crit": ["exp"], "exp": 1}),
    ):
        assert gate.refusal(forged)
    assert issuer.asked["/mine"] == 0


@pytest.mark.parametrize(
    "text", ["..", "a.b.c", "\xff.\xff.\xff", "e30.e30.e30", "." * 2 + "x" * 20_000, "bnVsbA.bnVsbA.bnVsbA"]
)
def test_what_is_no_token_is_refused(gate: Gate, text: str) -> None:
    assert "not" in gate.refusal(text)


def test_keys_are_fetched_by_time_and_a_new_one_is_known_after_its_first_use(gate: Gate, issuer: LocalIssuer) -> None:
    assert [gate.look(1.0), gate.look(298.0), gate.look(1.0)] == [0, 0, 1]
    issuer.publish("ec", "other")
    new = issuer.token("other")
    assert gate(issuer.token("rsa")).subject == "ann"
    assert "no key" in gate.refusal(new)
    assert gate.look(30.0) == 1
    assert gate(new).subject == "ann"
    assert "no key" in gate.refusal(issuer.token("rsa"))


def test_tokens_with_unknown_keys_do_not_hammer_the_issuer(gate: Gate, issuer: LocalIssuer) -> None:
    asked = 0
    for i in range(120):
        gate.refusal(issuer.token("other", headers={"kid": f"k-{i}"}))
        asked += gate.look(1.0)
    assert asked == 4


def test_while_the_issuer_is_away_known_keys_and_the_gateways_own_tokens_go_on(gate: Gate, issuer: LocalIssuer) -> None:
    issuer.status = 503
    assert [gate.look(300.0), gate.look(4.0), gate.look(1.0)] == [0, 0, 0]
    assert issuer.asked["/.well-known/openid-configuration"] >= 3
    assert gate(issuer.token()).subject == "ann"
    assert gate(gate.local).subject == "vera"
    issuer.status = 200
    assert gate.look(5.0) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"/.well-known/openid-configuration": {"issuer": "https://else.example"}}, id="another issuer"),
        pytest.param({"/.well-known/openid-configuration": b"[]"}, id="no object"),
        pytest.param({"/.well-known/openid-configuration": b"{" + b" " * (1 << 20)}, id="too much"),
        pytest.param({"/keys": b"<html>"}, id="no JSON"),
        pytest.param({"/keys": b"[" * 100_000}, id="deep"),
    ],
)
def test_an_issuer_that_makes_no_sense_is_away_and_before_its_first_answer_its_tokens_wait(
    issuer: LocalIssuer, change: dict[str, Any]
) -> None:
    gate = Gate(issuer)
    issuer.documents.update(change)
    gate.look()
    with pytest.raises(IssuerUnavailable):
        gate(issuer.token())
    assert gate(gate.local).subject == "vera"
    assert gate("t").roles == ("admin",)


def test_the_place_of_the_keys_must_be_safe(issuer: LocalIssuer) -> None:
    issuer.documents["/.well-known/openid-configuration"]["jwks_uri"] = "http://keys.example/keys"
    gate = Gate(issuer)
    assert gate.look() == 0
    with pytest.raises(IssuerUnavailable):
        gate(issuer.token())


def test_a_key_that_is_too_short_to_trust_opens_nothing(issuer: LocalIssuer) -> None:
    issuer.keys["short"] = rsa.generate_private_key(65_537, 1_024)
    issuer.publish("rsa", "short")
    gate = Gate(issuer)
    gate.look()
    with pytest.warns(UserWarning, match="below the minimum"):
        token = issuer.token("short")
    assert "below the minimum" in gate.refusal(token)


def test_an_issuer_may_withdraw_all_its_keys(gate: Gate, issuer: LocalIssuer) -> None:
    issuer.publish()
    assert gate.look(300.0) == 1
    assert "no key" in gate.refusal(issuer.token())


def test_keys_that_are_for_something_else_are_passed_over(issuer: LocalIssuer) -> None:
    one = issuer.public("rsa")
    secret = base64.urlsafe_b64encode(b"s" * 32).decode()
    issuer.documents["/keys"] = {
        "keys": [
            {"kty": "oct", "k": secret, "kid": "shared"},
            {**one, "kid": "encrypts", "use": "enc"},
            {**one, "kid": "of PS256", "alg": "PS256"},
            {**one, "kid": "broken", "n": "!"},
            {**one, "kid": "odd", "n": 7},
            {"kty": "EC", "crv": "P-256", "kid": "no point"},
            {name: value for name, value in one.items() if name != "kid"},
            7,
            issuer.public("ec"),
        ]
    }
    gate = Gate(issuer)
    gate.look()
    assert gate(issuer.token("ec")).subject == "ann"
    for kid in ("encrypts", "of PS256", "broken", "odd"):
        assert "no key" in gate.refusal(issuer.token(headers={"kid": kid}))
    _, claims, _ = issuer.token().split(".")
    assert gate.refusal(signed("HS256", claims, b"s" * 32, kid="shared"))


def test_a_session_of_an_issuers_caller_is_over_where_the_issuer_is_no_longer_trusted(
    gate: Gate, issuer: LocalIssuer
) -> None:
    caller = gate(issuer.token())
    assert not BearerToken("t", issued=gate).is_over(caller)
    assert BearerToken("t", issued=gate).is_over(replace(caller, expires_at=int(time.time())))
    assert BearerToken("t").is_over(caller)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def signed(algorithm: str, claims: str, secret: bytes, kid: str = "rsa") -> str:
    signing = f"{part({'alg': algorithm, 'kid': kid})}.{claims}"
    digest = hmac.digest(secret, signing.encode(), hashlib.sha256)
    return f"{signing}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
