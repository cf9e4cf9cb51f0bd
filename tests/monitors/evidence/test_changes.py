from typing import Any

import numpy as np
import pytest

from monitors.evidence.changes import describe_change
from monitors.evidence.channels import Rows
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from tests.monitors.evidence.material import model, rows


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model(4000)


def described(fitted: EvidenceModel, name: str, after: Rows) -> tuple[str, str]:
    c = [channel.name for channel in fitted.channels.listed].index(name)
    return describe_change(fitted.channels, c, fitted.counts_cb[c], fitted.channels.counts(after, RowMemory())[c])


def changed(**changes: Any) -> Rows:
    return rows(np.random.default_rng(3), 2000, **changes)


def test_a_number_is_told_by_its_quantiles(fitted: EvidenceModel) -> None:
    before, after = (text.split(", 90 % in ") for text in described(fitted, "age", changed(shift=2.0)))
    assert [abs(float(before[0].removeprefix("median "))), float(after[0].removeprefix("median "))] == pytest.approx(
        [0.0, 2.0], abs=0.1
    )
    assert before[1].startswith("-1.")


def test_missing_values_are_told_where_they_moved_most(fitted: EvidenceModel) -> None:
    assert described(fitted, "age", changed(missing=0.5)) == ("missing 0 %", "50 %")


def test_values_beyond_the_reference_are_below_or_above_it(fitted: EvidenceModel) -> None:
    far = Rows(np.tile([50.0, -50.0, 0.0], (10, 1)), np.tile([0.5, 0.5], (10, 1)))
    assert described(fitted, "age", far)[1].startswith("90 % above")
    assert described(fitted, "pay", far)[1].startswith("90 % below")


def test_a_category_is_named(fitted: EvidenceModel) -> None:
    block = changed()
    block.values_nd[:, 2] = 2.0
    before, after = described(fitted, "colour", block)
    assert (before, after) == ("blue 9.7 %", "100 %")


def test_unseen_categories_are_told(fitted: EvidenceModel) -> None:
    block = changed()
    block.values_nd[:, 2] = -1.0
    assert described(fitted, "colour", block) == ("unseen 0 %", "100 %")


def test_classes_and_broken_answers_are_named(fitted: EvidenceModel) -> None:
    block = changed()
    sure = Rows(block.values_nd, np.tile([0.0, 1.0], (2000, 1)))
    assert described(fitted, "class", sure)[1] in ("0 %", "100 %")
    broken = Rows(block.values_nd, np.full((2000, 2), np.nan))
    assert described(fitted, "broken", broken)[0].startswith(("sound 100", "broken 0"))


def test_confidence_is_told_as_a_rank_within_its_class(fitted: EvidenceModel) -> None:
    block = changed()
    before, after = described(fitted, "top-1", Rows(block.values_nd, np.tile([0.51, 0.49], (2000, 1))))
    assert before.startswith("median 5")
    assert after.endswith("% rank")


def test_no_value_at_all_is_told(fitted: EvidenceModel) -> None:
    c = 0
    nothing = np.zeros_like(fitted.counts_cb[c])
    assert describe_change(fitted.channels, c, fitted.counts_cb[c], nothing)[1] == "no value"
