"""The folder of a bundle against its signature: no file more, none less, and each with the bytes that were signed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.catalog.files import FileRefused, FolderReader, relative_parts
from gateway.signing.statement import LEFT_OUT, SIGNATURE_FILE, SignedFiles, open_signature, signature_of

if TYPE_CHECKING:
    from gateway.signing.keys import PrivateKey, PublicKey

__all__ = ["SignedFolder", "open_signed", "sign_folder"]

SIGNATURE_BYTES = 4 * 1024**2
LARGEST_FILE = 2**50


class SignedFolder:
    """A folder's files, none of whose bytes is given away before they are seen to be those that were signed.

    Stands in for a :class:`FolderReader`. What is given is what was hashed: no file is opened a second time.

    Raises
    ------
    FileRefused
        Here and from :meth:`read_if_present`: a file is there that was not signed, or is signed and not there, or has
        other bytes.
    """

    def __init__(self, files: FolderReader, signed: SignedFiles) -> None:
        self._files = files
        self._signed = signed.sha256s
        self.signed_by = signed.key_id
        self.size = len(signed.sha256s)
        self._seen: set[str] = set()
        found = _names(files)
        if added := found - self._signed.keys():
            raise FileRefused(f"{min(added)} is not among the files that {SIGNATURE_FILE} was made over")
        if missing := self._signed.keys() - found:
            raise FileRefused(f"{min(missing)} is among the files that {SIGNATURE_FILE} was made over, and is missing")

    def read_if_present(self, name: str, *, limit: int) -> memoryview | None:
        """Return the content of a file as :meth:`FolderReader.read_if_present` does, once its hash agrees."""
        key = "/".join(relative_parts(name))
        content = self._files.read_if_present(name, limit=limit)
        if content is None and key not in self._signed:
            return None
        found = None if content is None else hashlib.sha256(content).hexdigest()
        self._hold(key, found)
        return content

    def sha256(self, name: str, content: memoryview) -> str:
        """Return the hash of a content that was read here."""
        return self._signed["/".join(relative_parts(name))]

    def check_rest(self) -> None:
        """Hold every file that nobody has read to its hash; keeps none of them in memory."""
        for name in sorted(self._signed.keys() - self._seen):
            self._hold(name, self._files.hashed_if_present(name, limit=LARGEST_FILE))

    def _hold(self, name: str, found: str | None) -> None:
        signed = self._signed.get(name)
        if signed is None or found != signed:
            what = "is missing" if found is None else f"has sha256 {found}"
            said = f"says {signed}" if signed else "does not name it"
            raise FileRefused(f"{name} {what}; {SIGNATURE_FILE} {said}")
        self._seen.add(name)


def open_signed(files: FolderReader, trusted: Sequence[PublicKey]) -> SignedFolder | None:
    """Return a folder with its signature, ``None`` where it has none or no key is trusted.

    Raises
    ------
    SignatureInvalid
        None of the keys made it.
    FileRefused
        It cannot be read, or names other files than are there.
    """
    signature = files.read_if_present(SIGNATURE_FILE, limit=SIGNATURE_BYTES) if trusted else None
    return None if signature is None else SignedFolder(files, open_signature(bytes(signature), trusted))


def sign_folder(files: FolderReader, name: str, key: PrivateKey) -> bytes:
    """Return a signature over all files of a folder, but an earlier signature and what belongs to git."""
    hashes = {}
    for path in _names(files):
        found = files.hashed_if_present(path, limit=LARGEST_FILE)
        if found is None:
            raise FileRefused(f"{path} went while the folder was signed")
        hashes[path] = found
    return signature_of(name, hashes, key)


def _names(files: FolderReader) -> set[str]:
    """Return the files of a folder that a signature must name."""
    return files.names(leave_out=LEFT_OUT)
