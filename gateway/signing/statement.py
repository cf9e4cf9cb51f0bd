"""What a signature says: the files of a bundle and their hashes, as an in-toto statement in a DSSE envelope.

The form is that of OpenSSF Model Signing 1.0 with a bare key: a Sigstore bundle whose payload lists each file with its
SHA-256. Nothing of the payload is read before its signature holds.

References
----------
OpenSSF Model Signing specification, version 1.0, 2025. DSSE protocol 1.0.0, Secure Systems Lab, 2021.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.codec.canonical import canonical_json

if TYPE_CHECKING:
    from gateway.signing.keys import PrivateKey, PublicKey

__all__ = ["LEFT_OUT", "SIGNATURE_FILE", "SignatureInvalid", "SignedFiles", "open_signature", "signature_of"]

SIGNATURE_FILE = "model.sig"
LEFT_OUT = frozenset({SIGNATURE_FILE, ".git", ".gitattributes", ".github", ".gitignore"})
"""Names in the bundle's folder that a signature may leave out; with a folder goes all below it."""

MOST_FILES = 10_000
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_SHA256 = re.compile("[0-9a-f]{64}")


class SignatureInvalid(Exception):
    """A signature that does not hold; the text says why."""


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """What a signature that holds says.

    Parameters
    ----------
    key_id
        Of the key that signed.
    sha256s
        Hash of each file, in hexadecimal, by its path in the folder.
    """

    key_id: str
    sha256s: Mapping[str, str] = field(repr=False)


def signature_of(name: str, sha256s: Mapping[str, str], key: PrivateKey) -> bytes:
    """Return the signature over files.

    Parameters
    ----------
    name
        What to call the bundle in the statement: the name of its folder.
    """
    resources = [{"name": path, "algorithm": "sha256", "digest": sha256s[path]} for path in sorted(sha256s)]
    serialization = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": sorted(LEFT_OUT),
    }
    payload = canonical_json(
        {
            "_type": _STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": _root(resources)}}],
            "predicateType": _PREDICATE_TYPE,
            "predicate": {"serialization": serialization, "resources": resources},
        }
    )
    envelope = {
        "payload": _base64(payload),
        "payloadType": _PAYLOAD_TYPE,
        "signatures": [{"sig": _base64(key.sign(_pre_authentication(payload))), "keyid": ""}],
    }
    material = {"publicKey": {"hint": key.public.id}, "tlogEntries": []}
    return canonical_json({"mediaType": _MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope})


def open_signature(data: bytes, trusted: Sequence[PublicKey]) -> SignedFiles:
    """Return what a signature says, once one of the trusted keys is seen to have made it.

    Raises
    ------
    SignatureInvalid
        It is none, none of the keys made it, or it says something else than one SHA-256 for each file.

    Notes
    -----
    The hint that names the key is not believed: every trusted key is tried.
    """
    payload, signature = _envelope(data)
    text = _pre_authentication(payload)
    key = next((key for key in trusted if key.has_signed(text, signature)), None)
    if key is None:
        raise SignatureInvalid("none of the trusted keys has signed it")
    try:
        return SignedFiles(key.id, _signed_files(json.loads(payload)))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise SignatureInvalid("what was signed is no statement about the files of a model") from error


def _envelope(data: bytes) -> tuple[bytes, bytes]:
    """Return payload and signature, as yet of anybody."""
    try:
        document = json.loads(data)
        envelope = document["dsseEnvelope"]
        types = (document["mediaType"], envelope["payloadType"])
        (only,) = envelope["signatures"]
        payload, signature = _decoded(envelope["payload"]), _decoded(only["sig"])
    except (ValueError, RecursionError, KeyError, TypeError, binascii.Error) as error:
        raise SignatureInvalid("it is no signature in the form of OpenSSF Model Signing") from error
    if types != (_MEDIA_TYPE, _PAYLOAD_TYPE):
        raise SignatureInvalid("it is of another form than OpenSSF Model Signing 1.0 with a bare key")
    return payload, signature


def _signed_files(statement: Any) -> dict[str, str]:
    if (statement["_type"], statement["predicateType"]) != (_STATEMENT_TYPE, _PREDICATE_TYPE):
        raise SignatureInvalid("it is of another version than OpenSSF Model Signing 1.0")
    predicate = statement["predicate"]
    _check_serialization(predicate["serialization"])
    resources = predicate["resources"]
    if len(resources) > MOST_FILES:
        raise SignatureInvalid(f"it names {len(resources)} files; the limit is {MOST_FILES}")
    files = {one["name"]: one["digest"] for one in resources if one["algorithm"] == "sha256"}
    (subject,) = statement["subject"]
    sound = all(isinstance(name, str) and _SHA256.fullmatch(digest) for name, digest in files.items())
    if not sound or len(files) != len(resources) or subject["digest"]["sha256"] != _root(resources):
        raise SignatureInvalid("its list of files does not agree with itself")
    return files


def _check_serialization(told: Any) -> None:
    if (told["method"], told["hash_type"]) != ("files", "sha256"):
        raise SignatureInvalid(
            "it is not by whole files and SHA-256; sign again with weir bundle sign, or model_signing's defaults"
        )
    if told.get("allow_symlinks", False):
        raise SignatureInvalid("it allows links, which are not followed here; sign again without them")
    left_out = set(told.get("ignore_paths", ())) - LEFT_OUT
    if left_out:
        raise SignatureInvalid(f"it leaves out {min(left_out)!r}; sign again, all files of the folder")


def _root(resources: Sequence[Mapping[str, str]]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(one["digest"]) for one in resources)).hexdigest()


def _pre_authentication(payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
