"""Files of one folder, read once each and never through a symbolic link or out of the folder."""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType

__all__ = ["FileRefused", "FolderReader", "relative_parts"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking, so that a named pipe in place of a file cannot hold up the load.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAPPED_BYTES = 1 << 20
# One call for the whole of a large file may keep a core to itself until it is done.
_READ_BYTES = 1 << 20
_MOST_NAMES = 10_000
_DEEPEST = 16


class FileRefused(Exception):
    """A file that must not be read; the text names it by its path in the folder and says why."""


def relative_parts(name: str) -> tuple[str, ...]:
    """Return the steps from the folder to a file.

    Raises
    ------
    FileRefused
        The name is empty, absolute, climbs with ``..``, or holds a character that no artifact needs: a backslash, an
        asterisk (ONNX Runtime's mark for raw memory addresses) or a control character.

    Examples
    --------
    >>> relative_parts("./weights/part.bin")
    ('weights', 'part.bin')
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise FileRefused(f"{name!r} is not a path inside the folder of the version")
    if any(character in "\\*" or not character.isprintable() for character in name):
        raise FileRefused(f"{name!r} holds a character that file names here may not have")
    return path.parts


class FolderReader:
    """Reads regular files below one folder. Every step of a path is opened relative to the one before.

    A link that somebody swaps in between a check and the reading is therefore refused too. Blocks: not for the loop.

    Raises
    ------
    FileRefused
        The folder is a symbolic link, not a folder, or not there.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._descriptor = os.open(folder, _FOLDER_FLAGS)
        except (OSError, ValueError) as exc:
            raise FileRefused(f"{folder.name} cannot be opened as a folder; links are not followed") from exc

    def __enter__(self) -> FolderReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def read(self, name: str, *, limit: int) -> memoryview:
        """Return the content of a file that must be there.

        Parameters
        ----------
        name
            Path relative to the folder.
        limit
            Size in bytes above which the file is refused without being read.

        Raises
        ------
        FileRefused
            It is missing, outside, a link or behind one, not a regular file, too big, or changed while being read.
        """
        content = self.read_if_present(name, limit=limit)
        if content is None:
            raise FileRefused(f"{name} is missing")
        return content

    def read_if_present(self, name: str, *, limit: int) -> memoryview | None:
        """Return the content of a file, or ``None`` when there is none; raises as :meth:`read` does."""
        try:
            descriptor = self._open(relative_parts(name))
            try:
                return _content(descriptor, name, limit)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise FileRefused(f"{name} is a link, lies behind one, or cannot be read ({exc.strerror})") from exc

    @staticmethod
    def sha256(_name: str, content: memoryview) -> str:
        """Return the SHA-256 of a content that was read, in hexadecimal."""
        return hashlib.sha256(content).hexdigest()

    def hashed_if_present(self, name: str, *, limit: int) -> str | None:
        """Return the SHA-256 of a file in hexadecimal without keeping its content; else as :meth:`read_if_present`."""
        try:
            descriptor = self._open(relative_parts(name))
            try:
                return _hashed(descriptor, name, limit)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise FileRefused(f"{name} is a link, lies behind one, or cannot be read ({exc.strerror})") from exc

    def names(self, *, leave_out: Collection[str] = ()) -> set[str]:
        """Return the paths of all files.

        Parameters
        ----------
        leave_out
            Files and folders directly in the folder that are not looked at.

        Raises
        ------
        FileRefused
            There are more than 10,000 files, folders more than 16 deep, or something that is no file: a link, a pipe.
        """
        found: set[str] = set()
        folders: list[tuple[str, ...]] = [()]
        while folders:
            at = folders.pop()
            for name, is_folder in self._entries(at):
                if not at and name in leave_out:
                    continue
                folders.append((*at, name)) if is_folder else found.add("/".join((*at, name)))
                if len(found) + len(folders) > _MOST_NAMES or len(at) > _DEEPEST:
                    raise FileRefused(f"the folder holds more than {_MOST_NAMES} files, or folders {_DEEPEST} deep")
        return found

    def _entries(self, folder: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
        """Give name of each entry, and whether it is a folder."""
        try:
            descriptor = self._open_folder(folder)
            try:
                with os.scandir(descriptor) as scan:
                    for entry in scan:
                        yield entry.name, _is_folder(entry, "/".join((*folder, entry.name)))
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise FileRefused(f"{'/'.join(folder) or 'the folder'} cannot be listed ({exc.strerror})") from exc

    def _open_folder(self, parts: tuple[str, ...]) -> int:
        at = os.dup(self._descriptor)
        for part in parts:
            try:
                below = os.open(part, _FOLDER_FLAGS, dir_fd=at)
            finally:
                os.close(at)
            at = below
        return at

    def _open(self, parts: tuple[str, ...]) -> int:
        opened: list[int] = []
        try:
            for part in parts[:-1]:
                opened.append(os.open(part, _FOLDER_FLAGS, dir_fd=opened[-1] if opened else self._descriptor))
            return os.open(parts[-1], _FILE_FLAGS, dir_fd=opened[-1] if opened else self._descriptor)
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _is_folder(entry: os.DirEntry[str], name: str) -> bool:
    relative_parts(name)  # whose text may go into a message
    if entry.is_symlink():
        raise FileRefused(f"{name} is a symbolic link, which is not followed")
    if entry.is_dir(follow_symlinks=False):
        return True
    if not entry.is_file(follow_symlinks=False):
        raise FileRefused(f"{name} is not a regular file")
    return False


def _size(descriptor: int, name: str, limit: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise FileRefused(f"{name} is not a regular file")
    if status.st_size > limit:
        raise FileRefused(f"{name} has {status.st_size} bytes; the limit is {limit}")
    return status.st_size


def _hashed(descriptor: int, name: str, limit: int) -> str:
    left = _size(descriptor, name, limit)
    digest = hashlib.sha256()
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
            digest.update(piece)
            left -= len(piece)
        if left or file.read(1):
            raise FileRefused(f"{name} changed while it was read")
    return digest.hexdigest()


def _content(descriptor: int, name: str, limit: int) -> memoryview:
    content = _memory(_size(descriptor, name, limit))
    at = 0
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        while at < len(content) and (n := file.readinto(content[at : at + _READ_BYTES])):
            at += n
        if at < len(content) or file.read(1):
            raise FileRefused(f"{name} changed while it was read")
    return content.toreadonly()


def _memory(size: int) -> memoryview:
    """Return zeroed memory. Large pieces are mappings, which are filled and given back without the interpreter's lock;
    freeing bytes of 100 MB holds it for 10 ms.
    """
    return memoryview(mmap.mmap(-1, size) if size >= _MAPPED_BYTES else bytearray(size))
