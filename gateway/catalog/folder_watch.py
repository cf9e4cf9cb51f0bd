"""What lies in the folder of models, as far as it is complete: a version being copied is not to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from gateway.catalog.folders import ModelFolders, Stamp, version_order

__all__ = ["FolderWatch", "Name", "newest_first"]

Name: TypeAlias = tuple[str, str]


class FolderWatch:
    """Remembers what the last look at the folder found. Blocks; for one thread at a time.

    A version is complete once two looks in a row found the same files, and stays so while its folder is there. What
    lay there at the first look counts as complete: a gateway that starts does not wait.
    """

    def __init__(self, repository: ModelFolders) -> None:
        self._repository = repository
        self._seen: Mapping[Name, Stamp] | None = None
        self._complete: dict[Name, Stamp] = {}

    def look(self) -> Mapping[Name, Stamp]:
        """Look once; return the complete versions, each with the stamp of its files when they last stood still."""
        found = self._stamps()
        before = found if self._seen is None else self._seen
        still = {name: stamp for name, stamp in found.items() if before.get(name) == stamp}
        self._complete = {name: stamp for name, stamp in self._complete.items() if name in found} | still
        self._seen = found
        return self._complete

    def everything(self) -> Mapping[Name, Stamp]:
        """Return all versions, complete or not."""
        return self._stamps()

    def _stamps(self) -> dict[Name, Stamp]:
        models = self._repository.models()
        return {(m, v): self._repository.stamp(m, v) for m, versions in models.items() for v in versions}


def newest_first(names: Mapping[Name, Stamp]) -> dict[str, list[str]]:
    """Return the versions by model, the newest first.

    >>> newest_first({("m", "9"): (), ("m", "10"): ()})
    {'m': ['10', '9']}
    """
    found: dict[str, list[str]] = {}
    for model, version in sorted(names, key=lambda name: version_order(name[1]), reverse=True):
        found.setdefault(model, []).append(version)
    return found
