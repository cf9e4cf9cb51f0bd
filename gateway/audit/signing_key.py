"""Ed25519 keys of checkpoints: made, read, and held against who else could read them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import DocumentInvalid, Fault

__all__ = [
    "CHECKPOINT_ORIGIN",
    "KeyStanding",
    "SigningKey",
    "VerifierKey",
    "make_key",
    "read_key",
    "read_verifier",
    "standing_of",
]

KeyStanding = Literal["apart", "shared", "unknown"]
"""Whether the user that serves can read the key: not, yes, or nobody can say."""

CHECKPOINT_ORIGIN = "weir"
"""Name of a log in its checkpoints, and of their key, where nobody gives another."""

NAME_BYTES = 64
KEY_BYTES = 4_096
_ED25519 = b"\x01"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under. As text, that of signed notes: ``NAME+HASH+BASE64``."""

    name: str
    public: bytes

    @property
    def key_hash(self) -> bytes:
        """The four bytes that a signature line names the key by."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        told = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_hash.hex()}+{told}"

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether a signature over the text is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the public one that goes with it under a name."""

    verifier: VerifierKey
    secret: Ed25519PrivateKey = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        """Return the signature over a text, 64 bytes."""
        signature: bytes = self.secret.sign(text)
        return signature


def make_key(path: Path) -> None:
    """Write a new private key in PEM (PKCS 8), readable by its owner only; the file must not exist."""
    pem: bytes = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
        file.write(pem)


def read_key(path: Path, name: str) -> SigningKey:
    """Return the private key of a file.

    Raises
    ------
    DocumentInvalid
        There is no Ed25519 key in it.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        pem = file.read(KEY_BYTES)
    try:
        secret = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "something else") from error
    if not isinstance(secret, Ed25519PrivateKey):
        raise _no_key(path, "a key of another kind")
    return SigningKey(VerifierKey(name, secret.public_key().public_bytes_raw()), secret)


def read_verifier(text: str, source: str) -> VerifierKey:
    """Read a public key from its text.

    Raises
    ------
    DocumentInvalid
        It is none, or its hash is not that of name and key.
    """
    name, _, rest = text.strip().partition("+")
    told_hash, _, told_key = rest.partition("+")
    try:
        raw = base64.b64decode(told_key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    key = VerifierKey(name, raw[1:])
    if not name or len(raw) != 33 or raw[:1] != _ED25519 or key.key_hash.hex() != told_hash:
        wanted = "a verifier key NAME+HASH+BASE64, as weir audit key prints it"
        raise DocumentInvalid(source, [Fault("", "value", wanted, repr(text.strip()[:80]))])
    return key


def standing_of(key: Path, serving_uid: int | None) -> KeyStanding:
    """Return whether a user can read a private key, by owner, group and modes of the file.

    The same user, the superuser, and whoever may read the file or put another in its place count as able to. Groups
    count where any but the owner is in play, since nobody can say here who is a member.
    """
    if serving_uid is None:
        return "unknown"
    found = key.stat()
    is_open = found.st_mode & (stat.S_IRGRP | stat.S_IROTH)
    folder = key.resolve().parent.stat()
    is_replaceable = folder.st_uid == serving_uid or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if serving_uid in (0, found.st_uid) or is_open or is_replaceable:
        return "shared"
    return "apart"


def _no_key(path: Path, found: str) -> DocumentInvalid:
    return DocumentInvalid(str(path), [Fault("", "value", "an Ed25519 private key in PEM, without a password", found)])
