"""Whether a version may take the traffic of a model that has no route yet, when a gateway starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.catalog.files import FileRefused, FolderReader
from gateway.catalog.folders import ModelFolders
from gateway.codec.plain_yaml import YamlRefused, parse_yaml
from gateway.errors import WeirError
from gateway.governance.guard import FREE, Clearance, Guard
from gateway.governance.policy import TIERS, Tier

__all__ = ["declared_tier", "declaring", "first_clearance"]

_MOST_BYTES = 1024**2


def first_clearance(guard: Guard, folders: ModelFolders, model: str, version: str) -> Clearance:
    """Say whether a version may take all traffic of its model. Blocks.

    Notes
    -----
    Of a version that no process has loaded, the manifest in its folder is asked for the tier. Content that is changed
    after that can only name another tier of its own; the floor of its model holds for it all the same.
    """
    found = guard.view(model, version, stable=None)
    if guard.policy is None or found.is_met or guard.knows(model, version):
        return found
    tier = guard.policy.tier_of(model, declared_tier(folders, model, version))
    return FREE if guard.policy.rules(tier).is_free else found


def declaring(folders: ModelFolders, versions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the models of which a version declares a risk tier."""
    for model, names in sorted(versions.items()):
        if any(declared_tier(folders, model, version) for version in reversed(names)):
            yield model


def declared_tier(folders: ModelFolders, model: str, version: str) -> Tier | None:
    """Return the tier that ``model.yaml`` names; ``None`` where it names none, or cannot be read.

    A manifest that cannot be read keeps its version from being loaded, which the worker reports.
    """
    try:
        with FolderReader(folders.existing(model, version)) as files:
            text = files.read_if_present("model.yaml", limit=_MOST_BYTES)
        plain = None if text is None else parse_yaml(bytes(text))
    except (WeirError, FileRefused, YamlRefused):
        return None
    identity = plain.get("identity") if isinstance(plain, dict) else None
    named = identity.get("risk_tier") if isinstance(identity, dict) else None
    return next((tier for tier in TIERS if tier == named), None)
