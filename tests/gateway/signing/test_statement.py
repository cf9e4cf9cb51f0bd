"""Signatures in the form of OpenSSF Model Signing: what holds, what does not, and that its own package agrees."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.files import FolderReader
from gateway.errors import DocumentInvalid
from gateway.signing.folder import open_signed, sign_folder
from gateway.signing.keys import PrivateKey, make_key, read_private_key, read_public_key
from gateway.signing.statement import LEFT_OUT, SignatureInvalid, open_signature, signature_of

HERE = Path(__file__).parent
FILES = {"card.md": "1" * 64, "sub/w.bin": "2" * 64}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    make_key(path := tmp_path_factory.mktemp("key") / "key.pem")
    return read_private_key(path)


def statement_in(signature: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(signature)["dsseEnvelope"]["payload"]))


def foreign_folder(at: Path) -> Path:
    """Make the folder that ``model_signing sign key`` of model-signing 1.1.1 was run on."""
    folder = at / "1"
    (folder / "sub").mkdir(parents=True)
    for name, content in (("card.md", "hello\n"), ("sub/w.bin", "w\n"), (".hidden", "hid\n")):
        (folder / name).write_text(content)
    (folder / "model.sig").write_bytes((HERE / "model_signing.sig").read_bytes())
    return folder


def test_a_signature_of_the_package_model_signing_holds(tmp_path: Path) -> None:
    with FolderReader(foreign_folder(tmp_path)) as files:
        signed = open_signed(files, [read_public_key(HERE / "model_signing.pub")])
        assert signed is not None
        signed.check_rest()
        assert signed.size == 3


def test_the_statement_and_the_rest_are_those_of_the_package_model_signing(tmp_path: Path, key: PrivateKey) -> None:
    folder = foreign_folder(tmp_path)
    with FolderReader(folder) as files:
        own = sign_folder(files, folder.name, key)
    theirs = (HERE / "model_signing.sig").read_bytes()
    told, wanted = statement_in(own), statement_in(theirs)
    left_out = {"serialization": {**told["predicate"]["serialization"], "ignore_paths": None}}
    assert set(told["predicate"]["serialization"]["ignore_paths"]) == LEFT_OUT
    assert set(wanted["predicate"]["serialization"]["ignore_paths"]) == LEFT_OUT
    wanted["predicate"]["serialization"]["ignore_paths"] = None
    assert {**told, "predicate": {**told["predicate"], **left_out}} == wanted
    mine, ours = json.loads(own), json.loads(theirs)
    for bundle in (mine, ours):
        bundle["verificationMaterial"]["publicKey"]["hint"] = None
        bundle["dsseEnvelope"]["payload"] = bundle["dsseEnvelope"]["signatures"][0]["sig"] = None
    assert mine == ours


def test_a_signature_tells_its_files_and_its_key(key: PrivateKey) -> None:
    signed = open_signature(signature_of("1", FILES, key), [key.public])
    assert (signed.key_id, signed.sha256s) == (key.public.id, FILES)


def test_of_several_trusted_keys_each_may_have_signed_and_of_others_none(tmp_path: Path, key: PrivateKey) -> None:
    make_key(tmp_path / "other.pem")
    other = read_private_key(tmp_path / "other.pem").public
    signature = signature_of("1", FILES, key)
    assert open_signature(signature, [other, key.public]).key_id == key.public.id
    with pytest.raises(SignatureInvalid, match="none of the trusted keys"):
        open_signature(signature, [other])


def test_no_byte_of_what_is_signed_can_be_changed(key: PrivateKey) -> None:
    signature = signature_of("1", FILES, key)
    at = signature.index(b'"payload":"') + len(b'"payload":"')
    for place in range(at, at + 400, 7):
        changed = signature[:place] + (b"A" if signature[place : place + 1] != b"A" else b"B") + signature[place + 1 :]
        with pytest.raises(SignatureInvalid):
            open_signature(changed, [key.public])


def test_a_signature_cut_anywhere_does_not_hold(key: PrivateKey) -> None:
    signature = signature_of("1", FILES, key)
    for end in range(0, len(signature), 31):
        with pytest.raises(SignatureInvalid):
            open_signature(signature[:end], [key.public])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="list"),
        pytest.param(
            b'{"mediaType":1,"dsseEnvelope":{"payloadType":1,"payload":1,"signatures":[{"sig":1}]}}', id="types"
        ),
        pytest.param(b'{"mediaType":"","dsseEnvelope":{"payload":"","payloadType":"","signatures":[]}}', id="unsigned"),
    ],
)
def test_what_is_no_signature_is_refused(key: PrivateKey, data: bytes) -> None:
    with pytest.raises(SignatureInvalid, match="OpenSSF Model Signing"):
        open_signature(data, [key.public])


def resigned(key: PrivateKey, edit: Callable[[Any], object]) -> bytes:
    """Sign another statement with the same key, as somebody may who uses other options."""
    statement = statement_in(signature_of("1", FILES, key))
    edit(statement)
    payload = json.dumps(statement).encode()
    signed = key.sign(b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload))
    document = json.loads(signature_of("1", FILES, key))
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    document["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signed).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(lambda s: s["predicate"]["serialization"].update(allow_symlinks=True), "links", id="links"),
        pytest.param(lambda s: s["predicate"]["serialization"].update(method="shards"), "whole files", id="shards"),
        pytest.param(lambda s: s["predicate"]["serialization"].update(hash_type="blake3"), "SHA-256", id="hash"),
        pytest.param(
            lambda s: s["predicate"]["serialization"]["ignore_paths"].append("weights"),
            "leaves out 'weights'",
            id="ignored",
        ),
        pytest.param(lambda s: s.update(predicateType="https://x/v2"), "another version", id="version"),
        pytest.param(lambda s: s["predicate"]["resources"].pop(), "agree with itself", id="root"),
        pytest.param(lambda s: s["predicate"]["resources"].append({}), "no statement", id="member"),
        pytest.param(
            lambda s: s["predicate"]["resources"].append(s["predicate"]["resources"][0]),
            "agree with itself",
            id="double",
        ),
        pytest.param(lambda s: s["predicate"].update(resources=7), "no statement", id="type"),
        pytest.param(lambda s: s.clear(), "no statement", id="empty"),
        pytest.param(lambda s: s["predicate"].update(resources=[{}] * 10_001), "the limit is 10000", id="many"),
    ],
)
def test_a_signed_statement_that_covers_less_than_every_file_is_refused(
    key: PrivateKey, edit: Callable[[Any], object], told: str
) -> None:
    with pytest.raises(SignatureInvalid, match=told):
        open_signature(resigned(key, edit), [key.public])


def test_what_is_no_key_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key")
    make_key(tmp_path / "key.pem")
    for read, name in ((read_private_key, "text"), (read_public_key, "text"), (read_public_key, "key.pem")):
        with pytest.raises(DocumentInvalid, match="key of the curve P-256"):
            read(tmp_path / name)
    with pytest.raises(FileExistsError):
        make_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
