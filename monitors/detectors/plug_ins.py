"""Detectors by name: those that come with Weir, and those that installed packages declare.

A name is looked up among the entry points of the group ``weir.detectors``; it is never a module path. So settings can
only choose from what somebody has installed as a detector, and cannot run code that lies anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

from monitors.detectors.bank import DetectorChoice, Detectors
from monitors.detectors.base import Detector

__all__ = ["GROUP", "DetectorUnknown", "detector_names", "load_choice", "load_detector"]

GROUP = "weir.detectors"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


class DetectorUnknown(ValueError):
    """A name that no usable detector has; the text says why."""


def detector_names() -> list[str]:
    """Return every name that can be configured, sorted."""
    return sorted(BUILT_IN.keys() | {point.name for point in entry_points(group=GROUP) if _NAME.fullmatch(point.name)})


def load_detector(name: str) -> type[Detector]:
    """Return the detector of a name; its package is imported only now.

    Parameters
    ----------
    name
        1 to 32 of lower-case letters, digits and ``-``. A package cannot take the place of a built-in detector.

    Raises
    ------
    DetectorUnknown
        When nothing, or more than one package, declares the name, or what it declares is no detector.

    Examples
    --------
    >>> load_detector("page-hinkley").__name__
    'PageHinkley'
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    declared = {point.value: point for point in entry_points(group=GROUP) if point.name == name}
    if not _NAME.fullmatch(name) or not declared:
        known = ", ".join(detector_names())
        raise DetectorUnknown(f"no detector is called {name!r}; there are {known}, and what packages add under {GROUP}")
    if len(declared) > 1:
        raise DetectorUnknown(f"several packages declare the detector {name!r}: {', '.join(sorted(declared))}")
    return _loaded(next(iter(declared.values())))


def load_choice(for_all: Iterable[str], by_model: Mapping[str, Iterable[str]]) -> DetectorChoice:
    """Return the named detectors, for all models and for single ones.

    Raises
    ------
    DetectorUnknown
        As ``load_detector``.
    """
    return DetectorChoice(_named(for_all), {model: _named(names) for model, names in by_model.items()})


def _named(names: Iterable[str]) -> Detectors:
    return {name: load_detector(name) for name in names}


def _loaded(point: EntryPoint) -> type[Detector]:
    what = f"the detector {point.name!r} ({point.value})"
    try:
        found = point.load()
    except Exception as exc:
        raise DetectorUnknown(f"{what} cannot be imported: {type(exc).__name__}: {exc}") from exc
    if not isinstance(found, type) or not issubclass(found, Detector):
        raise DetectorUnknown(f"{what} is no subclass of monitors.detectors.base.Detector")
    return found


def _adwin() -> type[Detector]:
    from monitors.detectors.river import RiverAdwin

    return RiverAdwin


def _kswin() -> type[Detector]:
    from monitors.detectors.river import RiverKswin

    return RiverKswin


def _page_hinkley() -> type[Detector]:
    from monitors.detectors.page_hinkley import PageHinkley

    return PageHinkley


# River takes a second and tens of megabytes to import: only those pay who ask for it.
BUILT_IN: dict[str, Callable[[], type[Detector]]] = {
    "adwin": _adwin,
    "kswin": _kswin,
    "page-hinkley": _page_hinkley,
}
