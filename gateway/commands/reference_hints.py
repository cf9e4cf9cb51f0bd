"""What a reference profile tells the engine: fills and categories of features that the manifest left open."""

from __future__ import annotations

from gateway.engine.binding import Hint
from monitors.reference import FeatureProfile, from_json

__all__ = ["hints_of"]


def hints_of(reference: bytes) -> dict[str, Hint]:
    """Return the hint of each profiled feature; none for an empty text, which is a version without a profile.

    Raises
    ------
    monitors.reference.ProfileInvalid
        The text is no reference profile.
    """
    if not reference:
        return {}
    return {feature.name: _hint(feature) for feature in from_json(reference).features}


def _hint(feature: FeatureProfile) -> Hint:
    return Hint(fill=feature.fill, categories=feature.cells.categories)
