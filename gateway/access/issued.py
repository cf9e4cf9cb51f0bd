"""Tokens of an OpenID Connect issuer: checked by PyJWT, and their claims read as a caller with roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jwt

from gateway.access.caller import Caller
from gateway.access.issuer_keys import IssuerKeys, KeyName
from gateway.access.roles import ROLES, Role
from gateway.errors import CredentialsExpired, CredentialsInvalid, IssuerUnavailable
from gateway.settings import OidcSettings
from gateway.state.ledger import rfc3339

__all__ = ["IssuedTokens", "read_keys"]

_MOST_KEYS = 100
_LONGEST_TOKEN = 16_384
_LONGEST_SUBJECT, _LONGEST_ID = 256, 128
_KINDS: Mapping[str, tuple[str, str | None]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Type and curve of the keys of each algorithm; without a curve any does. None of them is symmetric."""


def read_keys(document: Mapping[str, Any], algorithms: Iterable[str]) -> dict[KeyName, jwt.PyJWK]:
    """Return the keys of a JSON Web Key Set (RFC 7517) by id and algorithm.

    A key that names its algorithm is taken for no other, and one for encryption, of an unknown kind or without an id is
    passed over: whatever a token says of itself, it is checked by a key that was made for that.
    """
    found: dict[KeyName, jwt.PyJWK] = {}
    listed = document.get("keys")
    for key in (listed if isinstance(listed, list) else [])[:_MOST_KEYS]:
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or not isinstance(key.get("kid"), str):
            continue
        for algorithm in algorithms:
            kind, curve = _KINDS[algorithm]
            fits = key.get("kty") == kind and curve in (None, key.get("crv")) and key.get("alg", algorithm) == algorithm
            if fits and (made := _made(key, algorithm)) is not None:
                found[key["kid"], algorithm] = made
    return found


class IssuedTokens:
    """Check tokens against an issuer's keys, and read who and what roles they name.

    Nothing is waited for: a key that is not known is asked of the issuer afterwards. One check costs about 0.2 ms
    of the event loop.

    References
    ----------
    Y. Sheffer, D. Hardt, M. Jones, "JSON Web Token Best Current Practices", RFC 8725, 2020.
    """

    def __init__(self, settings: OidcSettings, keys: IssuerKeys) -> None:
        self._settings, self.keys = settings, keys
        self._reader = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    def caller(self, text: str) -> Caller:
        """Return whom a token names; one with no role that is known here is somebody who may do nothing.

        Raises
        ------
        CredentialsInvalid, CredentialsExpired, IssuerUnavailable
        """
        claims = self._claims(text)
        subject, identity = claims.get(self._settings.subject_claim), claims.get("jti", "")
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise CredentialsInvalid(f"the token's claim {self._settings.subject_claim!r} names nobody")
        is_shown = isinstance(identity, str) and len(identity) <= _LONGEST_ID and identity.isprintable()
        expires_at = int(claims["exp"]) + round(self._settings.leeway_s)
        return Caller(subject, self._roles(claims), "oidc", identity if is_shown else "", expires_at, method="oidc")

    def _claims(self, text: str) -> dict[str, Any]:
        settings = self._settings
        if len(text) > _LONGEST_TOKEN:
            raise CredentialsInvalid(f"a token of more than {_LONGEST_TOKEN} characters is not looked at")
        try:
            return self._reader.decode(
                text,
                self._key(text),
                algorithms=list(settings.algorithms),
                issuer=settings.issuer,
                audience=settings.audience,
                leeway=settings.leeway_s,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            expired_at = float(self._reader.decode(text, options={"verify_signature": False})["exp"])
            told = rfc3339(expired_at) if expired_at > 0 else "no time of ours"
            raise CredentialsExpired("the token of the issuer", told) from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise CredentialsInvalid(f"the token is not valid here: {_words(error)}") from error

    def _key(self, text: str) -> jwt.PyJWK:
        header = jwt.get_unverified_header(text)
        identity, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise jwt.InvalidAlgorithmError("its algorithm is none of those that are accepted")
        if not self.keys.are_known:
            raise IssuerUnavailable
        key = self.keys.find(identity, algorithm) if isinstance(identity, str) else None
        if key is None:
            raise jwt.InvalidKeyError("no key that the issuer is known to have has its key id and algorithm")
        return key

    def _roles(self, claims: Mapping[str, Any]) -> tuple[Role, ...]:
        named = _found(claims, self._settings.roles_claim)
        words = named.split() if isinstance(named, str) else named if isinstance(named, list) else []
        mapped = {self._settings.roles.get(word) for word in words if isinstance(word, str)}
        return tuple(role for role in ROLES if role in mapped)


def _made(key: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(dict(key), algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None  # one bad key is no reason to do without the others


def _found(claims: Mapping[str, Any], claim: str) -> Any:
    """Return a claim by its name or, where that begins with a slash, by its JSON Pointer.

    >>> _found({"realm_access": {"roles": ["a"]}}, "/realm_access/roles"), _found({"a/b": 1}, "a/b")
    (['a'], 1)
    """
    if not claim.startswith("/"):
        return claims.get(claim)
    value: Any = claims
    for step in claim[1:].split("/"):
        value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
    return value


def _words(error: Exception) -> str:
    """Return what PyJWT says, which holds nothing of a token that its bearer does not know."""
    return str(error)[:200] or type(error).__name__
