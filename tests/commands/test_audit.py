"""`weir audit verify`, `checkpoint`, `export` and `key`, on a state file and without a gateway."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.state.sqlite import SqliteStore
from tests.state.ground import change


def weir(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main(["audit", *map(str, arguments)])
    return end.value.code


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    for number in range(4):
        change(store, "route/m", f"version {number}")
    store.close()
    return path


def test_a_log_is_signed_exported_and_verified(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    assert weir("key", keys / "key.pem") == 0
    verifier = capsys.readouterr().out.strip()
    assert weir("checkpoint", "--key", keys / "key.pem", "--state", state, "--out", tmp_path / "kept") == 0
    assert "the serving user can read this key" in capsys.readouterr().err
    assert weir("export", "--state", state, "--out", tmp_path / "audit.jsonl") == 0
    for what in (("--state", state), (tmp_path / "audit.jsonl",)):
        assert weir("verify", *what, "--checkpoint", tmp_path / "kept", "--verifier", verifier) == 0
        told = capsys.readouterr().out
        assert "4 records" in told
        assert "nothing was edited, removed or reordered" in told
        assert "the serving user could read the key" in told
    with sqlite3.connect(state) as connection:
        connection.execute("DELETE FROM audit WHERE sequence = 4")
    connection.close()
    assert weir("verify", "--state", state, "--json") == 0
    assert "cut off the end" in json.loads(capsys.readouterr().out)["limits"][0]
    assert weir("verify", "--state", state, "--checkpoint", tmp_path / "kept") == 1
    told = capsys.readouterr().out
    assert "1 were cut off" in told
    assert "no signature was checked" in told


def test_a_log_that_is_not_whole_is_neither_signed_nor_exported(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert weir("key", tmp_path / "key.pem") == 0
    with sqlite3.connect(state) as connection:
        connection.execute("DELETE FROM audit WHERE sequence = 2")
    connection.close()
    assert weir("checkpoint", "--key", tmp_path / "key.pem", "--state", state) == 1
    assert weir("export", "--state", state) == 1
    told = capsys.readouterr()
    assert "record 2 is missing" in told.err
    assert weir("verify", "--state", state) == 1


def test_the_key_of_another_user_stands_apart(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    assert weir("key", keys / "key.pem") == 0
    name = "nobody" if os.getuid() == 0 else "daemon"
    capsys.readouterr()
    assert weir("checkpoint", "--key", keys / "key.pem", "--state", state, "--serving-user", name) == 0
    assert "\nkey apart\n" in capsys.readouterr().out


def test_what_cannot_be_used_is_told_in_a_line(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("no checkpoint")
    for arguments, code, word in (
        (("verify", "--state", tmp_path / "none.db"), 3, "No such file"),
        (("verify", "--state", tmp_path), 3, f"{tmp_path} is no file"),
        (("export", "--state", state, "--resource", "route/n"), 1, "no record is of the resource 'route/n'"),
        (("verify", "--state", "redis://x:y:z"), 3, "/state: expected redis://HOST:PORT"),
        (("verify", tmp_path / "none.jsonl"), 3, "No such file"),
        (("verify", tmp_path / "text"), 3, "first line"),
        (("verify", "--state", state, "--checkpoint", tmp_path / "text"), 3, "a checkpoint as"),
        (("verify", "--state", state, "--checkpoint", tmp_path / "text", "--verifier", "weir"), 3, "a verifier key"),
        (("verify", "--state", state, "--verifier", "weir"), 2, "only checkpoints are signed"),
        (("verify", tmp_path / "text", "--state", state), 2, "without a state store"),
        (("checkpoint", "--state", state, "--key", tmp_path / "text"), 1, "an Ed25519 private key"),
    ):
        assert weir(*arguments) == code
        assert word in capsys.readouterr().err


@pytest.mark.parametrize("origin", ["a b", "", "a\nb", "a+b", "a" * 65])
def test_a_name_that_no_checkpoint_can_be_read_with_is_not_signed_under(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], origin: str
) -> None:
    assert weir("key", tmp_path / "refused.pem", "--origin", origin) == 2
    assert "without spaces" in capsys.readouterr().err
    assert weir("key", tmp_path / "key.pem") == 0
    signing = ("checkpoint", "--state", state, "--key", tmp_path / "key.pem", "--out", tmp_path / "kept")
    assert weir(*signing, "--origin", origin) == 2
    assert "without spaces" in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()
