"""Stages of a pipeline: each in a folder of its own, run once for the same inputs, whole or not at all.

A stage's key is the digest of its name, its parameters, the source of its function, and the digests of what it reads.
Where the folder has that key and its files are still the ones that were written, the stage is not run again. It
writes into a draft that is renamed when it is whole, so that a crash at any moment leaves the last whole output or
none; the draft of a dead run is removed by the next.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Pipeline", "Stage", "digest_of"]

STAMP = "stage.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage has made: its folder, and a digest of its files."""

    name: str
    folder: Path
    digest: str

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@dataclass(slots=True)
class Pipeline:
    """Runs stages below a folder, and remembers which ran and which were kept.

    Not for two processes at once in one folder.
    """

    folder: Path
    ran: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def stage(
        self, name: str, make: Callable[..., None], *inputs: Stage | Path, part: str = "", **parameters: Any
    ) -> Stage:
        """Return a stage's output, made now unless it is there.

        Parameters
        ----------
        make
            Called with the folder to write into, the inputs and the parameters; what it raises ends the pipeline.
        inputs
            Stages or files that it reads.
        part
            Keeps apart what several candidates make of one stage.
        parameters
            Plain values.
        """
        name = f"{name}-{part}" if part else name
        folder = self.folder / name
        read = [one.digest if isinstance(one, Stage) else digest_of(one) for one in inputs]
        told = {"stage": name, "parameters": parameters, "source": _source(make), "inputs": read}
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        stamp = _stamp(folder)
        if stamp.get("key") == key and stamp.get("files") == _files(folder):
            self.kept.append(name)
        else:
            self._make(folder, key, make, inputs, parameters)
            self.ran.append(name)
        return Stage(name, folder, digest_of(folder))

    def _make(
        self, folder: Path, key: str, make: Callable[..., None], inputs: tuple[Stage | Path, ...], parameters: Any
    ) -> None:
        draft, old = folder.with_name(f".{folder.name}.draft"), folder.with_name(f".{folder.name}.old")
        for leftover in (draft, old):
            shutil.rmtree(leftover, ignore_errors=True)
        draft.mkdir(parents=True)
        make(draft, *inputs, **parameters)
        (draft / STAMP).write_text(json.dumps({"key": key, "files": _files(draft)}, indent=1))
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and hashes of all files below a folder but its stamp."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(_files(path), sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / STAMP)
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def _stamp(folder: Path) -> Mapping[str, Any]:
    """Return what a whole run left; nothing where there is none, or something else was written over it."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _source(make: Callable[..., None]) -> str:
    """Return the digest of the module that a stage's function is written in."""
    module = inspect.getsourcefile(make)
    return digest_of(Path(module)) if module else ""
