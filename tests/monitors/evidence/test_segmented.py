"""Evidence within segments: found where the whole hardly moves, silent without a change, counted alike in any split."""

from itertools import pairwise

import numpy as np
import pytest

from monitors.evidence.budget import Budget
from monitors.evidence.channel import Channel
from monitors.evidence.document import read_model, write_model
from monitors.evidence.model import SEGMENTS_WEIGHT, EvidenceModel
from monitors.evidence.monitor import Config, Event, EvidenceMonitor
from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.evidence.segmented import LEAST_SEGMENT_ROWS, MOST_COPIES, Segmented
from monitors.records import FeatureSchema, OutputSchema
from monitors.transport.documents import DocumentRefused, decode_document, encode_document

FEATURES = (
    FeatureSchema("plan", "category", "string", ("new", "old", "rare")),
    FeatureSchema("age", "number", "float64"),
    FeatureSchema("pay", "number", "float32"),
)
OUTPUT = OutputSchema("classification", ("good", "bad"))
A_WEEK = Config(Budget(rows_between_false_pages=60_000_000))


def rows(rng: np.random.Generator, n: int, *, shift: float = 0.0, mix: tuple[float, ...] = (0.1, 0.88, 0.02)) -> Rows:
    """Return rows and answers; ``shift`` moves the age of those with a new plan."""
    plan = rng.choice(3, size=n, p=mix)
    age = rng.normal(size=n) + shift * (plan == 0)
    pay = 0.8 * age + rng.normal(size=n) + plan
    bad = 1.0 / (1.0 + np.exp(-pay))
    return Rows(np.column_stack([plan, age, pay]), np.column_stack([1.0 - bad, bad]))


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return EvidenceModel.fit(rows(np.random.default_rng(1), 20_000), FEATURES, OUTPUT, segment="plan")


def first_page(monitor: EvidenceMonitor, seed: int, most: int, shift: float) -> tuple[int, Event] | None:
    """Return after how many rows it pages about inputs, and what it says."""
    rng = np.random.default_rng(seed)
    for i in range(most // 10):
        for event in monitor.update(rows(rng, 10, shift=shift)):
            if event.level == "page" and event.cause == "inputs":
                return 10 * (i + 1), event
    return None


def test_every_single_channel_is_there_once_more_for_each_segment_of_enough_rows(fitted: EvidenceModel) -> None:
    within = [channel.name for channel in fitted.channels.listed if channel.segment is not None]
    assert [name for name in within if name.startswith("age")] == ["age where plan is old", "age where plan is new"]
    assert not [name for name in within if "plan where" in name or "rare" in name or "broken" in name]
    assert not [name for name in within if "component" in name or "exact" in name or "distance" in name]


def test_the_budget_is_shared_with_segments_and_not_raised(fitted: EvidenceModel) -> None:
    weights_c, listed = fitted.channel_weights(), fitted.channels.listed
    for cause in fitted.causes:
        of_cause = [(w, c.segment) for w, c in zip(weights_c, listed, strict=True) if c.cause == cause]
        assert sum(w for w, _ in of_cause) == pytest.approx(1.0)
        within = sum(w for w, segment in of_cause if segment is not None)
        assert within == pytest.approx(SEGMENTS_WEIGHT if cause != "broken" else 0.0)


def test_what_moves_for_a_tenth_of_the_clients_is_found_and_named(fitted: EvidenceModel) -> None:
    plain = EvidenceModel.fit(rows(np.random.default_rng(1), 20_000), FEATURES, OUTPUT)
    assert first_page(EvidenceMonitor(plain, A_WEEK), 5, 4_000, shift=1.0) is None
    found = first_page(EvidenceMonitor(fitted, A_WEEK), 5, 4_000, shift=1.0)
    assert found is not None
    assert found[0] == 580
    assert found[1].drivers[0].channel.name == "age where plan is new"


def test_without_a_change_nothing_pages_and_another_mix_is_no_evidence_within_segments(fitted: EvidenceModel) -> None:
    rng, monitor = np.random.default_rng(6), EvidenceMonitor(fitted, Config(Budget(rows_between_false_pages=100_000)))
    assert [event for _ in range(50) for event in monitor.replay(rows(rng, 1_000)) if event.level == "page"] == []
    mixed = rows(rng, 3_000, mix=(0.5, 0.48, 0.02))
    within = [c for c, channel in enumerate(fitted.channels.listed) if channel.segment is not None]
    ratios_ck = fitted.table.log_ratios(fitted.channels.counts(mixed, RowMemory()))[within]
    assert ((fitted.table.weights_ck[within] * np.exp(ratios_ck)).sum(axis=1) < 2.0).all()
    named = {driver.channel for event in monitor.replay(mixed) for driver in event.drivers}
    assert named
    assert {channel.segment for channel in named} == {None}


@pytest.mark.parametrize("cuts", [(1,), (7, 100, 101), tuple(range(1, 300))])
def test_any_split_of_rows_counts_alike(fitted: EvidenceModel, cuts: tuple[int, ...]) -> None:
    given = rows(np.random.default_rng(7), 300)
    given.values_nd[:20, 0] = [-1.0, np.nan] * 10
    whole_cb = fitted.channels.counts(given, RowMemory())
    ends = [0, *cuts, 300]
    parts = [given.part(a, b) for a, b in pairwise(ends)]
    counts = [fitted.channels.counts(part, RowMemory()) for part in parts]
    assert (np.sum(counts, axis=0) == whole_cb).all()
    assert (fitted.channels.block_counts(given, 10, RowMemory()).sum(axis=0) == whole_cb).all()
    segment_n = given.values_nd[:, 0]
    for c, channel in enumerate(fitted.channels.listed):
        of = {None: len(given), 0: (segment_n == 1).sum(), 1: (segment_n == 0).sum()}[channel.segment]
        assert whole_cb[c].sum() == of


def test_segments_are_counted_alike_where_repeated_rows_count_once() -> None:
    rng = np.random.default_rng(8)
    plans, once = rng.choice(2, size=1_500), rng.normal(size=(1_500, 2))
    again = np.repeat(np.column_stack([plans, once]), 17, axis=0)
    model = EvidenceModel.fit(Rows(again), FEATURES, segment="plan")
    assert model.channels.repeats is not None
    age = [c for c, channel in enumerate(model.channels.listed) if channel.name.startswith("age where")]
    assert model.channels.counts_once_c[age].all()
    assert sorted(model.counts_cb[age, :-1].sum(axis=1)) == sorted(np.bincount(plans))
    same = read_model(write_model(model))
    assert same.digest == model.digest
    assert (same.table.nats_cbk == model.table.nats_cbk).all()


def test_a_model_is_read_back_with_its_segments(fitted: EvidenceModel) -> None:
    same = read_model(write_model(fitted))
    assert same.channels.listed == fitted.channels.listed
    assert (same.table.nats_cbk == fitted.table.nats_cbk).all()
    given = rows(np.random.default_rng(9), 200)
    assert (same.channels.counts(given, RowMemory()) == fitted.channels.counts(given, RowMemory())).all()


@pytest.mark.parametrize(
    ("place", "wrong", "what"),
    [
        ("column", 3, "column"),
        ("values", [1.0, 1.0], "values"),
        ("values", [7.0], "values"),
        ("values", [], "values"),
        ("watched", [], "watched"),
        ("watched", [1, 0], "watched"),
        ("watched", [0, 9], "watched"),
        ("watched", [0], "channels"),
    ],
)
def test_segments_that_do_not_fit_are_refused(fitted: EvidenceModel, place: str, wrong: object, what: str) -> None:
    document = decode_document(write_model(fitted), dict)
    document["segments"]["by"][place] = wrong
    with pytest.raises(DocumentRefused, match=rf"segments.*{what}"):
        read_model(encode_document(document))


def test_more_copies_than_are_ever_made_are_refused_by_their_number(fitted: EvidenceModel) -> None:
    document = decode_document(write_model(fitted), dict)
    document["segments"]["channels"] = document["segments"]["channels"][:1] * (MOST_COPIES + 1)
    with pytest.raises(DocumentRefused, match=rf"segments.channels: expected at most {MOST_COPIES}, found 161"):
        read_model(encode_document(document))


def test_one_value_in_all_rows_makes_no_segments() -> None:
    values_r = np.full(5 * LEAST_SEGMENT_ROWS, 3.0)
    assert Segmented.fit(0, values_r, channels=3) is None
    values_r[0] = np.nan
    assert Segmented.fit(0, values_r, channels=3) == Segmented(0, (3.0,), (0,))


def test_so_many_channels_that_segments_would_take_long_leave_the_largest_segments() -> None:
    values_r = np.repeat(np.arange(8.0), LEAST_SEGMENT_ROWS * np.arange(1, 9))
    found = Segmented.fit(0, values_r, channels=MOST_COPIES // 3)
    assert found == Segmented(0, (7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0), (0, 1, 2))
    assert Segmented.fit(0, values_r, channels=MOST_COPIES + 1) is None


def test_a_feature_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="no feature is called 'colour'"):
        EvidenceModel.fit(rows(np.random.default_rng(1), 6_000), FEATURES, OUTPUT, segment="colour")


def test_segments_have_different_names_whatever_their_values_are() -> None:
    store = FeatureSchema("store", "number", "float64")
    stores = Segmented(0, (1_234_567.0, 1_234_568.0), (0, 1, 2)).listed([Channel("age", "inputs")], [store])
    assert [channel.name for channel in stores] == [
        "age where store is 1234567",
        "age where store is 1234568",
        "age where store is other",
    ]
    plan = FeatureSchema("plan", "category", "string", ("other", "old"))
    plans = Segmented(0, (0.0, 1.0), (0, 2)).listed([Channel("age", "inputs")], [plan])
    assert [channel.name for channel in plans] == ["age where plan is other", "age where plan is any other"]
