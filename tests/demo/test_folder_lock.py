from pathlib import Path

import pytest

from gateway.demo.folder_lock import FolderTaken, lock_folder


def test_a_folder_is_held_by_one_at_a_time_and_free_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with lock_folder(folder), pytest.raises(FolderTaken, match="--dir"), lock_folder(folder):
        pass
    with lock_folder(folder):
        assert folder.is_dir()
