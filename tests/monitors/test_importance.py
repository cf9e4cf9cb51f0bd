"""Importance of features: what a manifest and a caller may say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from monitors.importance import EQUAL, Importance
from tests.monitors.material import FEATURES, info

NAMES = [feature.name for feature in FEATURES]


def test_a_version_that_says_nothing_or_one_for_all_has_equal_importance() -> None:
    assert Importance.of_version(info()) == EQUAL
    assert Importance.of_version(replace(info(), importances=(1.0,) * len(NAMES))) == EQUAL


def test_importances_of_a_version_are_in_the_order_of_its_features() -> None:
    importance = Importance.of_version(replace(info(), importances=(1.0, 2.5, 0.0)))
    assert [importance.of(name) for name in NAMES] == [1.0, 2.5, 0.0]
    assert importance.of(f"{NAMES[1]}, exact values") == 2.5


@pytest.mark.parametrize("value", [0, 3, 2.5, np.float32(2.0), np.int64(4)])
def test_any_finite_number_from_zero_is_taken(value: float) -> None:
    assert Importance.checked({"age": value}, NAMES).of("age") == float(value)


@pytest.mark.parametrize("value", [-1, -1e-9, math.nan, math.inf, "3", None, 10**400, 1j])
def test_anything_else_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"importance of 'age' is .*, expected a finite number of at least 0"):
        Importance.checked({"age": value}, NAMES)


def test_importance_of_what_is_no_feature_is_refused() -> None:
    with pytest.raises(ValueError, match="importance of 'aeg', which is none of the features"):
        Importance.checked({"aeg": 1.0}, NAMES)
