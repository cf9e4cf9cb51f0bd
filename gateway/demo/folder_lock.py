"""One demonstration at a time in one folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FolderTaken", "lock_folder"]


class FolderTaken(Exception):
    """Another demonstration runs in the folder."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder, made when missing, until the block is left.

    Raises
    ------
    FolderTaken
        Another demonstration has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderTaken(f"another demonstration runs in {folder}; give --dir another folder") from error
        yield
