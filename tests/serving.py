"""Loaded versions, counters and other ground that tests of the serving path stand on."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway.catalog.bundle import Bundle, read_bundle
from gateway.engine.loading import load_version
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import read_counters
from gateway.settings import ServingSettings
from monitors.trials.tripwire import KeyTripwire
from tests.models import write_bundle

EAGER = ServingSettings(on_loop_ms=1e6)
"""Everything may run on the loop, however slow the machine."""

THREADED = ServingSettings(on_loop_ms=0.0)
"""Nothing runs on the loop."""

TRIPWIRES = partial(KeyTripwire, workers=1)
"""Makes the tripwires of canaries, as on a gateway with one worker."""


class HandClock:
    """A clock that is set by hand."""

    def __init__(self, now_s: float = 1_000.0) -> None:
        self.now_s = now_s

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class ListSink:
    """A channel that keeps what it is given, or is full."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.is_full = False

    def send(self, frame: bytes) -> bool:
        if not self.is_full:
            self.frames.append(frame)
        return not self.is_full


def bundle_of(
    folder: Path, model_bytes: bytes, *, manifest: str = "", files: Mapping[str, bytes | str] = MappingProxyType({})
) -> Bundle:
    """Write and read the version ``m``/``1`` (or as the folder is called); ``manifest`` goes below its first line."""
    declared = {"model.yaml": f"schema_version: 1\n{manifest}\n"} if manifest else {}
    write_bundle(folder, model_bytes, **declared, **files)
    return read_bundle(folder, model="m", version=folder.name if folder.name.isdigit() else "1")


def servable_of(
    folder: Path,
    model_bytes: bytes,
    *,
    manifest: str = "",
    serving: ServingSettings = EAGER,
    files: Mapping[str, bytes | str] = MappingProxyType({}),
) -> ServableVersion:
    """Load a version from a folder that is written for it."""
    return load_version(bundle_of(folder, model_bytes, manifest=manifest, files=files), serving=serving)


def counted(directory: Path, name: str, **labels: str) -> float:
    """Return the sum of all series of a metric that carry these labels."""
    series = [s for s in read_counters(directory) if s.name == name and _has(s.labels, labels)]
    return sum(s.value for s in series)


def _has(found: Mapping[str, str], labels: Mapping[str, Any]) -> bool:
    return all(found.get(name) == value for name, value in labels.items())
