"""The run directory: private, complete, another one in every tree."""

import shutil
from collections.abc import Iterator
from stat import S_IMODE

import pytest

from gateway.rundir import RunDirectory


@pytest.fixture
def run_dir() -> Iterator[RunDirectory]:
    run_dir = RunDirectory.create(b'{"port": 1}', "token")
    yield run_dir
    shutil.rmtree(run_dir.path)


def test_nobody_else_may_look_into_it(run_dir: RunDirectory) -> None:
    assert S_IMODE(run_dir.path.stat().st_mode) == 0o700
    modes = {path.name: S_IMODE(path.stat().st_mode) for path in run_dir.path.iterdir()}
    folders = {"counters": 0o700, "marks": 0o700}
    assert modes == folders | {"settings.json": 0o600, "admin-token": 0o600, "key-salt": 0o600}


def test_processes_of_the_tree_read_what_its_start_wrote(run_dir: RunDirectory) -> None:
    same = RunDirectory(run_dir.path)
    assert same.settings_file.read_bytes() == b'{"port": 1}'
    assert same.admin_token() == "token"
    assert same.key_salt() == run_dir.key_salt()
    assert len(same.key_salt()) == 32


def test_a_policy_lies_there_only_where_there_is_one(run_dir: RunDirectory) -> None:
    assert run_dir.policy() is None
    governed = RunDirectory.create(b"{}", "token", b'{"schema_version": 1}')
    try:
        assert RunDirectory(governed.path).policy() == b'{"schema_version": 1}'
    finally:
        shutil.rmtree(governed.path)


def test_each_tree_has_a_salt_of_its_own(run_dir: RunDirectory) -> None:
    other = RunDirectory.create(b"{}", "token")
    try:
        assert other.path != run_dir.path
        assert other.key_salt() != run_dir.key_salt()
    finally:
        shutil.rmtree(other.path)
