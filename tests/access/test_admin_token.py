"""The token that a gateway is started with."""

import stat
from pathlib import Path

import pytest

from gateway.access.admin_token import find_admin_token, made_token_path
from gateway.errors import DocumentInvalid


def test_the_variable_comes_first_then_the_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" from-file \n")
    assert find_admin_token({"WEIR_ADMIN_TOKEN": "from-env"}, path, tmp_path / "s.db").secret == "from-env"
    found = find_admin_token({"WEIR_ADMIN_TOKEN": ""}, path, tmp_path / "s.db")
    assert (found.secret, found.path) == ("from-file", path)


def test_without_either_a_token_is_made_once_and_only_the_owner_may_read_it(tmp_path: Path) -> None:
    state = tmp_path / "weir.db"
    first, second = find_admin_token({}, None, state), find_admin_token({}, None, state)
    assert first == second
    assert first.path == made_token_path(state) == tmp_path / "weir.db.admin-token"
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert len(first.secret) >= 40
    assert first.secret not in repr(first)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(DocumentInvalid, match="admin token"):
        find_admin_token({}, path, tmp_path / "s.db")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid, match="No such file"):
        find_admin_token({}, tmp_path / "nowhere", tmp_path / "s.db")
