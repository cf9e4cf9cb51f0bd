"""The folders of models and versions on disk: which there are, in which order, and what is left aside and why."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from gateway.errors import ModelUnknown, VersionRefused, VersionUnknown

__all__ = ["ModelFolders", "Stamp", "version_order"]

Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Path, inode, size and time of change in nanoseconds of every file."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE: Final = "letters, digits, '.', '_' and '-', at most 64, the first a letter or digit"


def version_order(version: str) -> tuple[bool, list[tuple[int, str]], str]:
    """Return the sort key of versions: integers by size, then other names with the numbers in them by size.

    Examples
    --------
    >>> sorted(["rc-1", "10", "9", "v1.10.0", "v1.9.0"], key=version_order)
    ['9', '10', 'rc-1', 'v1.9.0', 'v1.10.0']
    """
    parts = re.split(r"([0-9]+)", version)
    steps = [(int(part or 0), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
    return not version.isdecimal(), steps, version


class ModelFolders:
    """A tree ``<model>/<version>/model.onnx`` on disk, scanned anew with every call.

    Never follows a symbolic link below the root and never leaves it. Files beside the folders (Triton's
    ``config.pbtxt``) and hidden folders mean nothing here. Blocks; holds no state, so it may be used from any thread.

    Parameters
    ----------
    root
        The folder of models; may itself be a link.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def models(self) -> dict[str, list[str]]:
        """Return the versions of every model that has one, oldest first: see :func:`version_order`."""
        found = {name: self._versions(name) for name, why in self._folders(self._root) if why is None}
        return {name: versions for name, versions in sorted(found.items()) if versions}

    def newest(self, model: str, n: int) -> list[str]:
        """Return the last ``n`` versions of a model, newest first.

        Raises
        ------
        ModelUnknown
            No folder of this name holds a version.
        """
        versions = self.models().get(model)
        if versions is None:
            raise ModelUnknown(model)
        return versions[::-1][:n]

    def stamp(self, model: str, version: str) -> Stamp:
        """Return what tells whether a version's files change, without reading them."""
        return tuple(sorted(_file_stamps(self._root / model / version)))

    def problems(self) -> list[str]:
        """Return a line for each folder that was left aside, with the reason; the root too, when it is not there."""
        if not self._root.is_dir():
            return [f"{self._root} is not a folder"]
        lines: list[str] = []
        for model, why in self._folders(self._root):
            if why is not None:
                lines.append(f"{model}: {why}")
                continue
            inside = list(self._folders(self._root / model))
            reasons = [(version, why or self._lack(model, version)) for version, why in inside]
            lines += [f"{model}/{version}: {reason}" for version, reason in reasons if reason is not None]
            if not inside:
                lines.append(f"{model}: holds no version; put the model into {model}/1/model.onnx")
        return sorted(lines)

    def existing(self, model: str, version: str) -> Path:
        """Return the folder of a version.

        Raises
        ------
        ModelUnknown, VersionUnknown
            There is no such folder.
        VersionRefused
            It, or the model's, is a link.
        """
        if not _NAME.fullmatch(model) or not os.path.lexists(self._root / model):
            raise ModelUnknown(model)
        folder = self._root / model / version
        if not _NAME.fullmatch(version) or not os.path.lexists(folder):
            raise VersionUnknown(model, version)
        for step in (folder.parent, folder):
            if step.is_symlink() or not step.is_dir():
                raise VersionRefused(model, version, f"{step.name} is a link or not a folder; links are not followed")
        return folder

    def _versions(self, model: str) -> list[str]:
        folders = self._folders(self._root / model)
        names = [name for name, why in folders if why is None and self._lack(model, name) is None]
        return sorted(names, key=version_order)

    def _folders(self, folder: Path) -> Iterator[tuple[str, str | None]]:
        """Give each folder (or link to one) that is not hidden, with the reason to leave it aside."""
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_dir():
                continue
            if entry.is_symlink():
                yield entry.name, "is a symbolic link, which is not followed"
            elif not _NAME.fullmatch(entry.name):
                yield entry.name, f"is no name for a model or version ({_NAME_RULE})"
            else:
                yield entry.name, None

    def _lack(self, model: str, version: str) -> str | None:
        graph = self._root / model / version / "model.onnx"
        if graph.is_symlink():
            return "its model.onnx is a symbolic link, which is not followed"
        return None if graph.is_file() else "holds no model.onnx"


def _file_stamps(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            try:
                found = os.lstat(file)
            except OSError:  # it went while we looked
                continue
            yield file, found.st_ino, found.st_size, found.st_mtime_ns
