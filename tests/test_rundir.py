"""The run directory: private, complete, another one in every tree, and not there for ever after a kill."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from gateway.rundir import RunDirectory, remove_abandoned


@pytest.fixture
def run_dir() -> Iterator[RunDirectory]:
    run_dir = RunDirectory.create(b'{"port": 1}', "token")
    yield run_dir
    run_dir.remove()


def test_nobody_else_may_look_into_it(run_dir: RunDirectory) -> None:
    assert S_IMODE(run_dir.path.stat().st_mode) == 0o700
    modes = {path.name: S_IMODE(path.stat().st_mode) for path in run_dir.path.iterdir()}
    folders = {"counters": 0o700, "marks": 0o700}
    assert modes == folders | {"settings.json": 0o600, "admin-token": 0o600, "key-salt": 0o600, "lock": 0o600}


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
        governed.remove()


def test_each_tree_has_a_salt_of_its_own(run_dir: RunDirectory) -> None:
    other = RunDirectory.create(b"{}", "token")
    try:
        assert other.path != run_dir.path
        assert other.key_salt() != run_dir.key_salt()
    finally:
        other.remove()


@pytest.fixture
def abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a run directory that nobody holds, alone in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_dir = RunDirectory.create(b"{}", "token")
    for fd in run_dir.lock_fds:
        os.close(fd)
    return run_dir.path


def test_what_no_process_holds_any_more_is_removed_once(abandoned: Path) -> None:
    assert remove_abandoned() == [abandoned]
    assert not abandoned.exists()
    assert remove_abandoned() == []


def test_the_directory_of_a_tree_stays_for_as_long_as_one_of_its_processes_lives(abandoned: Path) -> None:
    assert remove_abandoned() == [abandoned]
    run_dir = RunDirectory.create(b"{}", "token")
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=run_dir.lock_fds)
    assert remove_abandoned() == []
    for fd in run_dir.lock_fds:
        os.close(fd)
    assert remove_abandoned() == []
    child.communicate()
    assert remove_abandoned() == [run_dir.path]


def _link(path: Path) -> Path:
    target = path.rename(path.with_name("elsewhere"))
    path.symlink_to(target)
    return target


def _link_of_its_lock(path: Path) -> Path:
    (path / "lock").rename(path / "other")
    (path / "lock").symlink_to(path / "other")
    return path


def _shared(path: Path) -> Path:
    path.chmod(0o755)
    return path


def _without_lock(path: Path) -> Path:
    (path / "lock").unlink()
    return path


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_link, id="a link to one"),
        pytest.param(_link_of_its_lock, id="its lock is a link"),
        pytest.param(_shared, id="others may look into it"),
        pytest.param(_without_lock, id="no lock, as of an older gateway"),
        pytest.param(lambda path: path.rename(path.with_name("weir-mine")), id="another name"),
    ],
)
def test_what_may_be_something_else_is_left_alone(abandoned: Path, change: Callable[[Path], Path]) -> None:
    place = change(abandoned)
    assert remove_abandoned() == []
    assert (place / "admin-token").exists()
