"""What the files of deployments name, held against what the gateway knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from gateway.codec.configuration import load_settings
from gateway.settings import Settings

__all__ = ["IMAGE", "STOP_S", "instructions", "settings_from", "settle"]

IMAGE = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)?:v?[0-9]+\.[0-9]+[a-z0-9.-]*")
"""An image with a version, and without the name of a registry."""

STOP_S = Settings().serving.drain_s + 5
"""Seconds that a gateway with the default settings takes to stop at most."""


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings that an environment makes, once each of its variables is known to be one."""
    known = {"WEIR_" + "__".join(path).upper() for path in _paths(Settings)}
    assert {name for name in environment if name.startswith("WEIR_")} <= known
    return load_settings(None, environment)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Return name and arguments of each instruction, continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line]


def settle(environment: Mapping[str, str], folders: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment with the folders of the image put elsewhere."""
    settled = dict(environment)
    for name, value in environment.items():
        for folder, elsewhere in folders.items():
            if value == folder or value.startswith(f"{folder}/"):
                settled[name] = str(elsewhere) + value.removeprefix(folder)
    return settled


def _paths(kind: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(kind)
    for declared in fields(kind):
        here = (*path, declared.name)
        if is_dataclass(hints[declared.name]):
            yield from _paths(hints[declared.name], here)
        else:
            yield here
