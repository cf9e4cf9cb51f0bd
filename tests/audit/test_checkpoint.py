"""Checkpoints: signed, read back, and refused after any change; keys, and who could read them."""

import os
import stat
from pathlib import Path

import pytest

from gateway.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from gateway.audit.signing_key import SigningKey, make_key, read_key, read_verifier, standing_of
from gateway.errors import DocumentInvalid

MADE = Checkpoint("weir", 12, bytes(range(32)), "2026-01-31T12:00:00Z", "apart")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    make_key(tmp_path / "key.pem")
    return read_key(tmp_path / "key.pem", "weir")


def test_a_checkpoint_is_read_back_as_it_was_signed(key: SigningKey) -> None:
    opened = open_checkpoint(sign_checkpoint(MADE, key).encode(), key.verifier, "c")
    assert opened.is_signed
    assert opened.text() == MADE.text()
    assert not open_checkpoint(sign_checkpoint(MADE, key).encode(), None, "c").is_signed


def test_no_byte_of_it_can_be_changed(key: SigningKey) -> None:
    note = sign_checkpoint(MADE, key).encode()
    for at in range(len(note)):
        changed = note[:at] + bytes([note[at] ^ 1]) + note[at + 1 :]
        with pytest.raises(DocumentInvalid):
            open_checkpoint(changed, key.verifier, "c")


def test_another_keys_signature_is_none(key: SigningKey, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem")
    other = read_key(tmp_path / "other.pem", "weir")
    with pytest.raises(DocumentInvalid, match="none of that key"):
        open_checkpoint(sign_checkpoint(MADE, other).encode(), key.verifier, "c")


def test_a_cosigned_checkpoint_is_accepted_for_the_signature_that_is_trusted(key: SigningKey, tmp_path: Path) -> None:
    make_key(tmp_path / "other.pem")
    other = read_key(tmp_path / "other.pem", "witness")
    both = sign_checkpoint(MADE, other) + sign_checkpoint(MADE, key).rpartition("\n\n")[2]
    assert open_checkpoint(both.encode(), key.verifier, "c").is_signed
    assert open_checkpoint(both.encode(), other.verifier, "c").is_signed


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\n\n\xe2\x80\x94 ", id="no-text"),
        pytest.param("weir\n-1\n{root}\n\n— weir A\n".encode(), id="negative"),
        pytest.param(b"x" * 70_000, id="huge"),
        pytest.param(("weir\n" + "9" * 5_000 + "\n\n— weir A\n").encode(), id="many-digits"),
    ],
)
def test_what_is_no_checkpoint_is_refused(note: bytes, key: SigningKey) -> None:
    with pytest.raises(DocumentInvalid, match="a checkpoint as weir audit checkpoint"):
        open_checkpoint(note, key.verifier, "c")


def test_the_public_key_is_read_back_from_its_text_and_from_nothing_else(key: SigningKey) -> None:
    text = str(key.verifier)
    assert read_verifier(text, "--verifier") == key.verifier
    for other in ("", "weir", text[:-4], text.replace("weir", "wier", 1), text + "A", text.upper()):
        with pytest.raises(DocumentInvalid, match="a verifier key"):
            read_verifier(other, "--verifier")


def test_a_key_is_made_for_its_owner_only_and_never_over_another_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        make_key(path)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        make_key(tmp_path / "link")


def test_a_file_without_an_ed25519_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(DocumentInvalid, match="an Ed25519 private key"):
        read_key(tmp_path / "key", "weir")


def test_who_could_read_or_replace_the_key_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "auditor"
    folder.mkdir(mode=0o700)
    path, other = folder / "key.pem", os.getuid() + 1
    make_key(path)
    assert standing_of(path, other) == "apart"
    assert standing_of(path, None) == "unknown"
    assert standing_of(path, os.getuid()) == "shared"
    assert standing_of(path, 0) == "shared"
    path.chmod(0o640)
    assert standing_of(path, other) == "shared"
    path.chmod(0o600)
    folder.chmod(0o777)
    assert standing_of(path, other) == "shared"
