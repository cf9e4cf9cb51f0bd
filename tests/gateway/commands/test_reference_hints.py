"""What the engine learns from a reference profile."""

import numpy as np
import pytest

from gateway.commands.reference_hints import hints_of
from gateway.engine.binding import Hint
from monitors.records import FeatureSchema, OutputSchema
from monitors.reference import ProfileInvalid, build_profile


def test_no_profile_gives_no_hints() -> None:
    assert hints_of(b"") == {}


def test_a_number_is_filled_with_its_median_and_a_category_with_its_mode() -> None:
    schemas = [
        FeatureSchema("age", "number", "float64"),
        FeatureSchema("colour", "category", "string", ("blue", "red")),
    ]
    values_nd = np.array([[1.0, 1.0], [2.0, 1.0], [9.0, 0.0]])
    profile = build_profile(schemas, OutputSchema("tensor"), values_nd, np.full(3, -1), np.zeros((3, 0)))
    assert hints_of(profile.to_json()) == {"age": Hint(2.0, ()), "colour": Hint("red", ("blue", "red"))}


def test_a_broken_profile_is_refused() -> None:
    with pytest.raises(ProfileInvalid):
        hints_of(b'{"schema_version": 2}')
