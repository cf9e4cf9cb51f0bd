"""Signals: what each is on the reference, and how it moves."""

import numpy as np
import pytest

from monitors.records import FeatureSchema, OutputSchema, StreamInfo
from monitors.reference import build_profile
from monitors.signals import Signals
from monitors.summary import Layout, summarise
from tests.monitors.material import info, observe, profile, rows

LAYOUT = Layout.of(info(), profile())
SIGNALS = Signals.of(LAYOUT, features=64)
CLEAN = rows(np.random.default_rng(2), 4000)


def measured(values_nd: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> dict[str, float]:
    """Return the signals of rows by name."""
    cells = summarise(LAYOUT, observe(values_nd, 1000.0), 2000)[1_000_000].cells
    return dict(zip(SIGNALS.names, SIGNALS.measure(cells, SIGNALS.neutral()).tolist(), strict=True))


def test_positions_are_in_the_middle_on_the_reference() -> None:
    found = measured(CLEAN)
    assert list(found) == ["feature/https", "feature/age", "feature/colour", "class/good", "class/bad", "confidence"]
    assert [found[f"feature/{name}"] for name in ("https", "age", "colour")] == pytest.approx([0.5] * 3, abs=0.02)
    assert found["class/good"] + found["class/bad"] == pytest.approx(1.0)


def test_a_shift_moves_its_signal_alone_and_an_outlier_hardly() -> None:
    moved, wild = CLEAN.copy(), CLEAN.copy()
    moved[:, 1] += 10.0
    wild[:4, 1] = 1e30
    assert measured(moved)["feature/age"] > 0.7
    assert measured(moved)["feature/https"] == measured(CLEAN)["feature/https"]
    assert measured(wild)["feature/age"] == pytest.approx(measured(CLEAN)["feature/age"], abs=0.002)


def test_missing_and_unseen_values_stand_in_the_middle() -> None:
    gone = CLEAN.copy()
    gone[:, 1], gone[:, 2] = np.nan, -1.0
    assert (measured(gone)["feature/age"], measured(gone)["feature/colour"]) == (0.5, 0.5)


def test_a_signal_that_no_row_tells_keeps_its_value() -> None:
    before_s = np.arange(6.0)
    assert SIGNALS.measure(np.zeros(LAYOUT.size, dtype=np.int64), before_s).tolist() == before_s.tolist()


def test_the_number_of_features_is_bounded() -> None:
    assert Signals.of(LAYOUT, features=1).names[:2] == ("feature/https", "class/good")


def test_a_regressions_value_is_a_signal_and_without_a_reference_there_is_none() -> None:
    features, output = (FeatureSchema("x", "number", "float64"),), OutputSchema("regression")
    values_nd = np.random.default_rng(3).normal(size=(500, 1))
    reference = build_profile(features, output, values_nd, np.full(500, -1), values_nd)
    about = StreamInfo("m", "1", "d", features, output)
    assert Signals.of(Layout.of(about, reference), features=64).names == ("feature/x", "value")
    assert Signals.of(Layout.of(about, None), features=64).names == ()
