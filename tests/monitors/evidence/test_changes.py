from typing import Any

import numpy as np
import pytest

from monitors.evidence.changes import describe_change
from monitors.evidence.channels import Channels
from monitors.evidence.model import EvidenceModel
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema
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
    assert described(fitted, "age", changed(missing=0.5)) == ("missing 0 %", "missing 50 %")


def test_values_beyond_the_reference_are_below_or_above_it(fitted: EvidenceModel) -> None:
    far = Rows(np.tile([50.0, -50.0, 0.0], (10, 1)), np.tile([0.5, 0.5], (10, 1)))
    assert described(fitted, "age", far)[1].startswith("90 % above")
    assert described(fitted, "pay", far)[1].startswith("90 % below")


def test_a_category_is_named(fitted: EvidenceModel) -> None:
    block = changed()
    block.values_nd[:, 2] = 2.0
    before, after = described(fitted, "colour", block)
    assert (before, after) == ("9.7 % are blue", "100 % are blue")


def test_unseen_categories_are_told(fitted: EvidenceModel) -> None:
    block = changed()
    block.values_nd[:, 2] = -1.0
    assert described(fitted, "colour", block) == ("unseen 0 %", "unseen 100 %")


def test_classes_and_broken_answers_are_named(fitted: EvidenceModel) -> None:
    block = changed()
    sure = Rows(block.values_nd, np.tile([0.0, 1.0], (2000, 1)))
    assert described(fitted, "class", sure)[1] in ("0 % are good", "100 % are bad")
    broken = Rows(block.values_nd, np.full((2000, 2), np.nan))
    assert described(fitted, "broken", broken)[0].startswith("0 % are broken")


def test_confidence_is_told_as_a_rank_within_its_class(fitted: EvidenceModel) -> None:
    block = changed()
    before, after = described(fitted, "top-1", Rows(block.values_nd, np.tile([0.51, 0.49], (2000, 1))))
    assert before.startswith("median 5")
    assert after.endswith("% rank")


def test_no_value_at_all_is_told(fitted: EvidenceModel) -> None:
    c = 0
    nothing = np.zeros_like(fitted.counts_cb[c])
    assert describe_change(fitted.channels, c, fitted.counts_cb[c], nothing)[1] == "no value"


def test_a_share_that_moves_no_quantile_is_told_all_the_same() -> None:
    flags_n = (np.random.default_rng(4).random(4000) < 0.4).astype(float)
    channels = Channels.fit(Rows(flags_n[:, None]), [FeatureSchema("flag", "number", "float64")])
    tables = [np.repeat([0.0, 1.0], shares)[:, None] for shares in ([60, 40], [52, 48])]
    before, after = (channels.counts(Rows(table), RowMemory())[0] for table in tables)
    assert describe_change(channels, 0, before, after) == ("40 % are 1", "48 % are 1")


def test_two_texts_differ_whatever_moved(fitted: EvidenceModel) -> None:
    rng = np.random.default_rng(5)
    for c, (axis, channel) in enumerate(zip(fitted.channels.grid.axes, fitted.channels.listed, strict=True)):
        for _ in range(0 if channel.is_heaping else 60):
            law_b = rng.dirichlet(np.full(axis.size, 0.5))
            before_b = rng.multinomial(2000, law_b)
            after_b = rng.multinomial(800, 0.98 * law_b + 0.02 * rng.dirichlet(np.full(axis.size, 0.5)))
            told = describe_change(fitted.channels, c, before_b, after_b)
            assert told[0] != told[1], (channel, before_b.tolist(), after_b.tolist())
