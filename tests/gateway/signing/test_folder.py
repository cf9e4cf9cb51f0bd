"""Bundles with signatures: what is read is what was signed, and what becomes of bundles that nobody has signed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.catalog.bundle import Bundle, BundleLimits
from gateway.catalog.files import FileRefused, FolderReader
from gateway.catalog.repository import Repository
from gateway.cli import main
from gateway.errors import VersionRefused
from gateway.governance.policy import Policy
from gateway.signing.folder import sign_folder
from gateway.signing.keys import PrivateKey, read_private_key
from gateway.signing.trust import Trust
from tests import models

MANIFEST = "schema_version: 1\nidentity: {risk_tier: high}\n"


def weir(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    return end.value.code


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the keys ``ours`` and ``theirs``."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        assert weir("bundle", "key", folder / name) == 0
    return folder


@pytest.fixture
def key(keys: Path) -> PrivateKey:
    return read_private_key(keys / "ours")


@pytest.fixture
def root(tmp_path: Path, key: PrivateKey) -> Path:
    """Make a folder of one signed version, with files that a worker reads and one that it does not."""
    folder = tmp_path / "models" / "m" / "1"
    files: dict[str, bytes | str] = {
        "model.yaml": MANIFEST,
        "card.md": "# m",
        "weights.bin": models.external_weights(),
        "notes.txt": "n",
    }
    models.write_bundle(folder, models.external_data_model(), **files)
    sign(folder, key)
    return tmp_path / "models"


def sign(folder: Path, key: PrivateKey) -> None:
    with FolderReader(folder) as files:
        signature = sign_folder(files, folder.name, key)
    (folder / "model.sig").write_bytes(signature)


def read(root: Path, key: PrivateKey | None, policy: Policy | None = None) -> Bundle:
    trust = Trust((key.public,) if key else (), policy)
    return Repository(root, limits=BundleLimits(), trust=trust).read("m", "1")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def link_in_place_of_the_card(folder: Path) -> None:
    (folder / "card.md").unlink()
    os.symlink("notes.txt", folder / "card.md")


def test_a_signed_bundle_is_read_and_names_its_key_without_another_digest(root: Path, key: PrivateKey) -> None:
    signed = read(root, key)
    assert signed.signed_by == key.public.id
    unsigned = read(root, None)
    assert (unsigned.signed_by, unsigned.digest) == ("", signed.digest)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(lambda f: flip(f / "model.onnx"), "model.onnx has sha256", id="graph"),
        pytest.param(lambda f: flip(f / "model.yaml"), "model.yaml has sha256", id="manifest"),
        pytest.param(lambda f: flip(f / "weights.bin"), "weights.bin has sha256", id="weights"),
        pytest.param(lambda f: flip(f / "card.md"), "card.md has sha256", id="card"),
        pytest.param(lambda f: flip(f / "notes.txt"), "notes.txt has sha256", id="unread"),
        pytest.param(lambda f: (f / "golden.json").write_text("[]"), "golden.json is not among", id="added"),
        pytest.param(lambda f: (f / ".hidden").write_text(""), ".hidden is not among", id="hidden"),
        pytest.param(lambda f: (f / "card.md").unlink(), "card.md is among the files", id="removed"),
        pytest.param(lambda f: (f / "model.yaml").unlink(), "model.yaml is among the files", id="manifest-removed"),
        pytest.param(lambda f: (f / "card.md").rename(f / "note.md"), "note.md is not among", id="renamed"),
        pytest.param(lambda f: os.symlink("card.md", f / "note.md"), "note.md is a symbolic link", id="link"),
        pytest.param(
            link_in_place_of_the_card,
            "card.md is a symbolic link",
            id="replaced-by-link",
        ),
        pytest.param(lambda f: os.mkfifo(f / "pipe"), "pipe is not a regular file", id="pipe"),
        pytest.param(lambda f: flip(f / "model.sig"), "model.sig does not hold", id="signature"),
        pytest.param(
            lambda f: (f / "model.sig").write_bytes((f / "model.sig").read_bytes()[:-40]), "does not hold", id="cut"
        ),
        pytest.param(lambda f: (f / "model.sig").write_bytes(b"[" * (4 << 20) + b"["), "the limit is", id="huge"),
        pytest.param(lambda f: (f / "model.sig").write_bytes(b"[" * (1 << 20)), "does not hold", id="deep"),
    ],
)
def test_whatever_was_not_signed_refuses_the_version(
    root: Path, key: PrivateKey, edit: Callable[[Path], object], told: str
) -> None:
    edit(root / "m" / "1")
    with pytest.raises(VersionRefused, match=told):
        read(root, key)


def test_a_signature_of_another_key_or_of_another_bundle_is_refused(root: Path, keys: Path, key: PrivateKey) -> None:
    with pytest.raises(VersionRefused, match="none of the trusted keys has signed it"):
        read(root, read_private_key(keys / "theirs"))
    other = models.write_bundle(root / "m" / "2", models.matrix_classifier())
    sign(other, key)
    (other / "model.sig").rename(root / "m" / "1" / "model.sig")
    with pytest.raises(VersionRefused, match=r"card\.md is not among the files"):
        read(root, key)


def test_a_file_changed_after_the_list_was_compared_is_refused_before_it_is_parsed(root: Path, key: PrivateKey) -> None:
    """The manifest is swapped for one that breaks the schema: its hash speaks, not its content."""
    (root / "m" / "1" / "model.yaml").write_text("schema_version: nonsense")
    with pytest.raises(VersionRefused, match=r"model\.yaml has sha256"):
        read(root, key)


def test_a_file_that_git_keeps_is_left_out_and_cannot_be_loaded(root: Path, key: PrivateKey) -> None:
    folder = root / "m" / "1"
    (folder / ".git").mkdir()
    (folder / ".git" / "card.md").write_text("another")
    assert read(root, key).signed_by
    (folder / "model.yaml").write_text(MANIFEST + "governance: {model_card: .git/card.md}\n")
    sign(folder, key)
    with pytest.raises(VersionRefused, match=r"\.git/card\.md has sha256 .*; model\.sig does not name it"):
        read(root, key)


@pytest.mark.parametrize(
    ("policy", "manifest", "is_refused"),
    [
        pytest.param(None, MANIFEST, False, id="no-policy"),
        pytest.param(Policy(), "schema_version: 1\n", False, id="undeclared"),
        pytest.param(Policy(), "schema_version: 1\nidentity: {risk_tier: limited}\n", False, id="limited-warns"),
        pytest.param(Policy(), MANIFEST, True, id="high"),
        pytest.param(Policy(models={"m": "high"}), "schema_version: 1\n", True, id="floor"),
    ],
)
def test_an_unsigned_bundle_may_serve_as_its_tier_says(
    root: Path, key: PrivateKey, policy: Policy | None, manifest: str, is_refused: bool
) -> None:
    folder = root / "m" / "1"
    (folder / "model.sig").unlink()
    (folder / "model.yaml").write_text(manifest)
    if is_refused:
        with pytest.raises(
            VersionRefused, match="no trusted key has signed it, and the policy demands that of the tier"
        ):
            read(root, key, policy)
    else:
        assert read(root, key, policy).signed_by == ""


def test_a_signature_that_no_key_checks_is_none(root: Path) -> None:
    with pytest.raises(VersionRefused, match="no trusted key has signed it"):
        read(root, None, Policy())


def test_a_wrong_signature_is_refused_whatever_the_policy_allows(root: Path, key: PrivateKey) -> None:
    (root / "m" / "1" / "model.sig").write_bytes(b"{}")
    with pytest.raises(VersionRefused, match="does not hold"):
        read(root, key, Policy())
    with pytest.raises(VersionRefused, match="does not hold"):
        Repository(root, limits=BundleLimits(), trust=Trust((key.public,))).card("m", "1")


def test_a_folder_of_too_many_files_or_folders_is_not_listed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "/".join("a" * 20)).mkdir(parents=True)
    (tmp_path / "/".join("a" * 20) / "file").touch()
    with FolderReader(tmp_path) as files, pytest.raises(FileRefused, match="more than 10000 files, or folders 16 deep"):
        files.names()


def test_the_commands_sign_and_verify(root: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "m" / "1"
    (folder / "model.sig").unlink()
    assert weir("bundle", "verify", folder, "--key", keys / "ours.pub") == 1
    assert weir("bundle", "sign", folder, "--key", keys / "ours") == 0
    both = ("--key", keys / "theirs.pub", "--key", keys / "ours.pub")
    assert weir("bundle", "verify", folder, *both) == 0
    assert weir("models", root, "--key", keys / "ours.pub", "--json") == 0
    told = capsys.readouterr()
    assert "nobody has signed it" in told.err
    assert "5 files, as" in told.out
    assert f'"signed_by": "{read_private_key(keys / "ours").public.id}"' in told.out
    assert weir("bundle", "verify", folder, "--key", keys / "theirs.pub") == 1
    flip(folder / "notes.txt")
    assert weir("bundle", "verify", folder, "--key", keys / "ours.pub") == 1
    told = capsys.readouterr()
    assert "none of the trusted keys has signed it" in told.err
    assert "notes.txt has sha256" in told.err
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_signed_is_told_in_a_line(
    root: Path, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.symlink("card.md", root / "m" / "1" / "link.md")
    for arguments, told in (
        (("sign", root / "m" / "1", "--key", keys / "ours"), "link.md is a symbolic link"),
        (("sign", tmp_path / "none", "--key", keys / "ours"), "cannot be opened as a folder"),
        (("sign", root / "m" / "1", "--key", keys / "ours.pub"), "a private key of the curve"),
        (("verify", root / "m" / "1", "--key", keys / "ours"), "a public key of the curve"),
        (("key", keys / "ours"), "is there already"),
    ):
        assert weir("bundle", *arguments) == 1
        assert told in capsys.readouterr().err
