"""Checkpoints: how long the audit chain was and what it held, signed, to be kept where the gateway cannot write.

The form is that of transparency logs (C2SP tlog-checkpoint): origin, size and root on a line each, then further lines,
an empty line, and a signature of the note. Two further lines are Weir's: when it was signed, and whether the serving
user could read the key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import cast

from gateway.audit.signing_key import KeyStanding, SigningKey, VerifierKey
from gateway.errors import DocumentInvalid, Fault

__all__ = ["NOTE_BYTES", "Checkpoint", "open_checkpoint", "sign_checkpoint"]

NOTE_BYTES = 64 * 1024
_BODY = re.compile(
    r"(?P<origin>[^\n+ ]{1,128})\n(?P<size>0|[1-9][0-9]{0,17})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"time (?P<time>[0-9T:.Z-]{20,32})\nkey (?P<key>apart|shared|unknown)\n"
)
_SIGNATURE = "— "
_SIGNATURE_BYTES = 4 + 64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first ``size`` records have this Merkle root. ``is_signed`` says whether a trusted key was seen to say so.

    Parameters
    ----------
    root
        32 bytes.
    time
        RFC 3339, by the signer's clock.
    key
        Whether the serving user could read the key when it signed.
    """

    origin: str
    size: int
    root: bytes
    time: str
    key: KeyStanding
    is_signed: bool = False

    def text(self) -> str:
        """Return what is signed."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\ntime {self.time}\nkey {self.key}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Return a checkpoint as a signed note."""
    text = checkpoint.text()
    signature = base64.b64encode(key.verifier.key_hash + key.sign(text.encode())).decode()
    return f"{text}\n{_SIGNATURE}{key.verifier.name} {signature}\n"


def open_checkpoint(note: bytes, trusted: VerifierKey | None, source: str) -> Checkpoint:
    """Read a signed note.

    Parameters
    ----------
    trusted
        The key that must have signed it; without one the signature is not looked at and ``is_signed`` is false.

    Raises
    ------
    DocumentInvalid
        It is no checkpoint, or the trusted key has not signed it.
    """
    try:
        text, found, signatures = note.decode().partition(f"\n\n{_SIGNATURE}")
    except UnicodeDecodeError:
        text, found, signatures = "", "", ""
    match = _BODY.fullmatch(text + "\n") if found and len(note) <= NOTE_BYTES else None
    if match is None:
        raise _refused(source, "a checkpoint as weir audit checkpoint writes it", "something else")
    if trusted is not None and not _is_signed(f"{text}\n", _SIGNATURE + signatures, trusted):
        raise _refused(source, f"a signature by {trusted}", "none of that key over this text")
    standing = cast(KeyStanding, match["key"])
    root = base64.b64decode(match["root"])
    return Checkpoint(match["origin"], int(match["size"]), root, match["time"], standing, trusted is not None)


def _is_signed(text: str, signatures: str, trusted: VerifierKey) -> bool:
    if not signatures.endswith("\n"):
        return False
    for line in signatures[:-1].split("\n"):
        name, _, told = line.removeprefix(_SIGNATURE).rpartition(" ")
        try:
            raw = base64.b64decode(told, validate=True)
        except (binascii.Error, ValueError):
            continue
        # One signature, one text: the last character before the padding has bits that decoding drops.
        is_ours = (
            base64.b64encode(raw).decode() == told
            and len(raw) == _SIGNATURE_BYTES
            and raw[:4] == trusted.key_hash
            and name == trusted.name
        )
        if is_ours and trusted.has_signed(text.encode(), raw[4:]):
            return True
    return False


def _refused(source: str, expected: str, found: str) -> DocumentInvalid:
    return DocumentInvalid(source, [Fault("", "value", expected, found)])
