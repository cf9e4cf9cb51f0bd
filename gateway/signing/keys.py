"""Keys of signatures: elliptic curves of NIST in PEM, as OpenSSF Model Signing takes them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from gateway.errors import DocumentInvalid, Fault

__all__ = ["PrivateKey", "PublicKey", "make_key", "read_private_key", "read_public_key"]

KEY_BYTES = 8_192
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_CURVES = "P-256, P-384 or P-521"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. ``id`` is the SHA-256 of its PEM in hexadecimal, by which signatures name it."""

    id: str
    key: ec.EllipticCurvePublicKey = field(repr=False)

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether a signature over the text is this key's."""
        try:
            self.key.verify(signature, text, ec.ECDSA(_HASHES[self.key.curve.name]))
        except (InvalidSignature, ValueError):
            return False
        return True

    def pem(self) -> bytes:
        """Return the key in PEM."""
        text: bytes = self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return text


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key and its public one."""

    public: PublicKey
    secret: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        """Return the signature over a text (ECDSA, DER)."""
        signature: bytes = self.secret.sign(text, ec.ECDSA(_HASHES[self.secret.curve.name]))
        return signature


def make_key(path: Path) -> None:
    """Write a new private key (P-256, PKCS 8), readable by its owner only; the file must not exist."""
    secret = ec.generate_private_key(ec.SECP256R1())
    pem: bytes = secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
        file.write(pem)


def read_private_key(path: Path) -> PrivateKey:
    """Return the private key of a file.

    Raises
    ------
    DocumentInvalid
        There is none in it, or one of another kind.
    OSError
        It cannot be read.
    """
    try:
        secret = load_pem_private_key(_content(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refused(path, "private", "something else") from error
    if not isinstance(secret, ec.EllipticCurvePrivateKey) or secret.curve.name not in _HASHES:
        raise _refused(path, "private", "a key of another kind")
    return PrivateKey(_public(secret.public_key()), secret)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key of a file; raises as :func:`read_private_key` does."""
    try:
        key = load_pem_public_key(_content(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refused(path, "public", "something else") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise _refused(path, "public", "a key of another kind")
    return _public(key)


def _public(key: ec.EllipticCurvePublicKey) -> PublicKey:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(hashlib.sha256(pem).hexdigest(), key)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(KEY_BYTES)


def _refused(path: Path, kind: str, found: str) -> DocumentInvalid:
    wanted = f"a {kind} key of the curve {_CURVES} in PEM, without a password"
    return DocumentInvalid(str(path), [Fault("", "value", wanted, found)])
