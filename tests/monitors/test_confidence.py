"""Confidence: the index and the modes of its collapse."""

from typing import Any

import numpy as np
import pytest

from monitors.confidence import Confidence, assess_confidence
from monitors.summary import Layout, summarise
from tests.monitors.material import info, observe, profile, rows, scores

LAYOUT = Layout.of(info(), profile())
NORMAL = scores(rows(np.random.default_rng(4), 600))


def confidence_of(scores_nk: Any, layout: Layout = LAYOUT) -> Confidence:
    """Return the confidence of answers."""
    values_nd = rows(np.random.default_rng(4), len(scores_nk))
    cells = summarise(layout, observe(values_nd, 1000.0, scores_nk=scores_nk), 2000)[1_000_000].cells
    found = assess_confidence(layout, cells, len(scores_nk))
    assert found is not None
    return found


def test_normal_answers_have_an_index_near_zero_and_no_mode() -> None:
    found = confidence_of(NORMAL)
    assert found.collapse_index == pytest.approx(0.0, abs=0.1)
    assert found.modes == ()


@pytest.mark.parametrize(
    ("scores_nk", "mode", "index"),
    [
        pytest.param(0.5 + 0.2 * (NORMAL - 0.5), "under-confidence", 0.97, id="A"),
        pytest.param(np.tile([0.98, 0.02], (600, 1)), "class-collapse", 1.0, id="B"),
        pytest.param(np.tile([0.6, 0.4], (600, 1)), "constant-output", 1.0, id="C"),
        pytest.param(np.round(NORMAL), "saturation", 0.0, id="D"),
        pytest.param(np.where(np.arange(600)[:, None] < 3, np.nan, NORMAL), "broken-output", 0.0, id="E"),
    ],
)
def test_each_mode_is_named(scores_nk: Any, mode: str, index: float) -> None:
    found = confidence_of(scores_nk)
    assert mode in found.modes
    assert found.collapse_index == pytest.approx(index, abs=0.1)


def test_the_index_falls_with_the_dependence_on_the_input_whatever_the_level_of_confidence() -> None:
    shuffled = np.where(np.arange(600)[:, None] % 2 == 0, NORMAL, [0.5, 0.5])
    index = confidence_of(shuffled).collapse_index
    assert index is not None
    assert 0.3 < index < 0.8


def test_few_rows_have_no_index() -> None:
    assert confidence_of(NORMAL[:99]).collapse_index is None
    assert confidence_of(NORMAL[:100]).collapse_index is not None


def test_without_a_reference_there_is_no_index_but_the_figures_are_there() -> None:
    found = confidence_of(NORMAL, Layout.of(info(), None))
    assert (found.collapse_index, found.modes, found.collapsed()) == (None, (), None)
    assert found.entropy_nats > 0


def test_an_empty_window_has_no_confidence() -> None:
    assert assess_confidence(LAYOUT, np.zeros(LAYOUT.size, dtype=np.int64), 0) is None
