"""The tap: which rows the watch gets, in which shape, and that every row not sent is counted."""

from collections.abc import Iterator
from pathlib import Path
from sys import getrefcount

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from gateway.arm import Arm
from gateway.call import Call
from gateway.engine.version import ServableVersion
from gateway.routing.split import key_hash
from gateway.tap import Tap
from monitors.records import BROKEN_FLAG, FALLBACK_FLAG, IMPUTED_FLAG, OUT_OF_RANGE_FLAG, Observation
from monitors.transport.frames import decode_frame, encode_frame
from tests import models
from tests.answers import Arms, answer_of, stacked_answers
from tests.serving import HandClock, ListSink, counted, servable_of

MANIFEST = """
interface:
  features:
    - {name: petal_length, missing: impute, fill: 4.0, range: {max: 9}}
    - {name: petal_width}
    - {name: sepal, dtype: string, categories: [short, long]}
"""


class Bench:
    """A tap whose channel keeps the observations."""

    def __init__(self, arms: Arms, rows_per_s: int) -> None:
        self.arms, self.sink, self.clock = arms, ListSink(), HandClock()
        self.sent: list[Observation] = []
        self.tap = Tap(
            self.sink,
            self._encode,
            arms.counters,
            self.clock,
            worker="w-1",
            rows_per_s=rows_per_s,
            key_salt=b"pepper",
        )

    def _encode(self, observation: Observation) -> bytes:
        self.sent.append(observation)
        return b"frame"

    def take(self, *calls: Call) -> None:
        self.tap.take(calls, [call.decoded.n for call in calls])

    def rows(self, result: str) -> float:
        return counted(self.arms.directory, "weir_monitor_observations_total", result=result)

    @property
    def only(self) -> Observation:
        (observation,) = self.sent
        return observation


@pytest.fixture
def arms(tmp_path: Path) -> Iterator[Arms]:
    arms = Arms(tmp_path / "counters")
    yield arms
    arms.close()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return servable_of(tmp_path_factory.mktemp("table"), models.columns_classifier(), manifest=MANIFEST)


@pytest.fixture
def arm(arms: Arms, table: ServableVersion) -> Arm:
    return arms.arm(table)


def check_shapes(observation: Observation, n: int, d: int, k: int) -> None:
    assert len(observation.request_ids) == n
    assert observation.values_nd.shape == (n, d)
    assert observation.scores_nk.shape == (n, k)
    arrays = {
        "answered_at_n": "float64",
        "key_hashes_n": "uint64",
        "labels_n": "int32",
        "durations_n": "float32",
        "flags_n": "uint16",
    }
    for name, dtype in arrays.items():
        array = getattr(observation, name)
        assert (array.shape, array.dtype.name) == ((n,), dtype)
    assert {observation.values_nd.dtype.name, observation.scores_nk.dtype.name} == {"float64"}


def test_answers_become_one_block_of_rows(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    bench.take(answer_of(arm, [[1.5, 0.2, "short"], [None, 2.0, "huge"]], request_id="a", key="user-1"))
    bench.clock.now_s = 1_000.5
    bench.take(answer_of(arm, [[12.0, 2.0, "long"]], request_id="b"))
    bench.tap.flush()
    seen = bench.only
    check_shapes(seen, 3, 3, 3)
    assert (seen.key.model, seen.key.version, seen.key.variant, seen.worker) == ("m", "1", "stable", "w-1")
    assert seen.key.digest == arm.servable.digest
    assert seen.request_ids == ("a", "a", "b")
    np.testing.assert_array_equal(seen.values_nd, [[1.5, 0.2, 0], [np.nan, 2.0, -1], [12.0, 2.0, 1]])
    assert seen.answered_at_n.tolist() == [1_000.0, 1_000.0, 1_000.5]
    assert seen.key_hashes_n.tolist() == [key_hash(b"pepper", "user-1")] * 2 + [0]
    assert seen.flags_n.tolist() == [0, IMPUTED_FLAG | 8, OUT_OF_RANGE_FLAG]
    assert seen.labels_n.tolist() == seen.scores_nk.argmax(axis=1).tolist()
    assert seen.durations_n.tolist() == [0.25] * 3
    assert bench.rows("sampled") == 3


def test_a_run_with_too_few_answers_is_refused_and_spoils_no_other(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    good, short = (answer_of(arm, [[1.5, 0.2, "short"], [2.5, 1.2, "long"]], request_id=name) for name in "gs")
    short.run.outputs.run.scores_nk = np.array([[0.1, 0.2, 0.7]])
    bench.take(good)
    with pytest.raises(ValueError, match="expected answers for 2 rows, found 1"):
        bench.take(short)
    bench.tap.flush()
    assert bench.only.request_ids == ("g", "g")


def test_numbers_of_another_width_are_a_block_of_their_own(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    narrow, wide = (answer_of(arm, [[1.5, 0.2, "short"]], request_id=name) for name in "nw")
    scores_nk = np.array([[0.1, 0.2]])
    narrow.run.outputs.run.scores_nk = scores_nk
    bench.take(narrow)
    bench.take(wide)
    bench.take(narrow)
    bench.tap.flush()
    assert [(seen.request_ids, seen.scores_nk.shape) for seen in bench.sent] == [(("n", "n"), (2, 2)), (("w",), (1, 3))]
    np.testing.assert_array_equal(bench.sent[0].scores_nk, scores_nk.repeat(2, axis=0))


def test_each_route_revision_is_a_block_of_its_own(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    for revision in (1, 2, 1):
        bench.take(answer_of(arm, [[1.5, 0.2, "short"]], request_id=f"r{revision}", revision=revision))
    bench.tap.flush()
    assert [(seen.route_revision, seen.request_ids) for seen in bench.sent] == [(1, ("r1", "r1")), (2, ("r2",))]


@pytest.mark.parametrize("rows_per_s", [100, 4])
def test_each_request_of_a_run_brings_its_own_rows(arms: Arms, tmp_path: Path, rows_per_s: int) -> None:
    arm = arms.arm(servable_of(tmp_path / "1", models.matrix_classifier()))
    rows = load_breast_cancer().data[:6].tolist()
    batch = [rows[:1], rows[1:3], rows[3:]]
    alone, together = Bench(arms, 100), Bench(arms, rows_per_s)
    together.take(*stacked_answers(arm, batch, revisions=[1, 1, 2]))
    for i, instances in enumerate(batch):
        kept = instances if rows_per_s == 100 else instances[: rows_per_s - sum(map(len, batch[:i]))]
        if kept:
            alone.take(answer_of(arm, kept, request_id=f"r{i}", revision=(1, 1, 2)[i]))
    together.tap.flush()
    alone.tap.flush()
    assert [seen.route_revision for seen in together.sent] == [1, 2]
    for mine, theirs in zip(together.sent, alone.sent, strict=True):
        assert mine.request_ids == theirs.request_ids
        np.testing.assert_array_equal(mine.values_nd, theirs.values_nd)
        np.testing.assert_array_equal(mine.labels_n, theirs.labels_n)
        # Some processors' products of several rows round otherwise than those of one.
        np.testing.assert_allclose(mine.scores_nk, theirs.scores_nk, atol=1e-6)
    assert together.sent[0].durations_n.tolist() == [0.0, 1.0, 1.0]


def test_each_variant_has_its_own_sample(arms: Arms, table: ServableVersion) -> None:
    bench = Bench(arms, 1)
    for arm in (arms.arm(table), arms.arm(table, "canary")):
        for _ in range(3):
            bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    bench.tap.flush()
    assert [seen.key.variant for seen in bench.sent] == ["stable", "canary"]
    assert (bench.rows("sampled"), bench.rows("skipped")) == (2, 4)


def test_rows_above_the_limit_are_skipped_and_the_rate_is_shown(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 3)
    for _ in range(3):
        bench.take(answer_of(arm, [[1.5, 0.2, "short"]] * 2))
    bench.tap.flush()
    check_shapes(bench.only, 3, 3, 3)
    assert (bench.rows("sampled"), bench.rows("skipped")) == (3, 3)
    bench.clock.now_s += 1
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    bench.tap.flush()
    assert counted(arms.directory, "weir_monitor_sampled_ratio", variant="stable") == 0.5
    assert {seen.sampled_ratio for seen in bench.sent[1:]} <= {0.5}


def test_rows_after_a_second_that_kept_none_can_be_received(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 1)
    for rows in (500, 1, 1):
        bench.take(answer_of(arm, [[1.5, 0.2, "short"]] * rows))
        bench.clock.now_s += 1
        bench.tap.flush()
    assert [len(seen.request_ids) for seen in bench.sent] == [1, 1]
    received = decode_frame(encode_frame(bench.sent[1]))
    assert isinstance(received, Observation)
    assert received.sampled_ratio == 1 / 500


def test_a_full_channel_drops_and_counts(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    bench.sink.is_full = True
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]] * 4))
    bench.tap.flush()
    bench.sink.is_full = False
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    bench.tap.flush()
    assert (bench.rows("dropped"), bench.rows("sampled"), len(bench.sink.frames)) == (4, 1, 1)


def test_many_rows_are_sent_without_waiting_for_the_flush(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 10_000)
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]] * 512))
    check_shapes(bench.only, 512, 3, 3)
    bench.tap.flush()
    assert len(bench.sent) == 1


def test_masked_and_broken_answers_are_marked_row_by_row(arms: Arms, tmp_path: Path) -> None:
    arm = arms.arm(servable_of(tmp_path / "1", models.elementwise("Reciprocal")))
    bench = Bench(arms, 100)
    answer = answer_of(arm, [[2.0], [0.0], [4.0]])
    answer.is_fallback = True
    bench.take(answer)
    bench.tap.flush()
    check_shapes(bench.only, 3, 1, 1)
    assert bench.only.flags_n.tolist() == [FALLBACK_FLAG, FALLBACK_FLAG | BROKEN_FLAG, FALLBACK_FLAG]
    assert bench.only.labels_n.tolist() == [-1, -1, -1]
    assert bench.only.scores_nk.ravel().tolist() == [0.5, np.inf, 0.25]


def test_a_model_of_tensors_has_rows_without_columns(arms: Arms, tmp_path: Path) -> None:
    arm = arms.arm(servable_of(tmp_path / "1", models.image_model()))
    bench = Bench(arms, 100)
    bench.take(answer_of(arm, np.ones((2, 3, 8, 8)).tolist()))
    bench.tap.flush()
    check_shapes(bench.only, 2, 0, 0)


def test_arms_that_leave_are_sent_and_forgotten(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    bench.tap.forget({arm})
    assert len(bench.sent) == 1
    bench.tap.forget({arm})
    bench.tap.flush()
    assert len(bench.sent) == 1


def test_what_waits_for_the_flush_holds_nothing_of_its_run(arms: Arms, arm: Arm) -> None:
    bench, call = Bench(arms, rows_per_s=100), answer_of(arm, [[1.5, 0.2, "short"]])
    held_before = getrefcount(call), getrefcount(call.run), getrefcount(call.decoded)
    bench.take(call)
    assert (getrefcount(call), getrefcount(call.run), getrefcount(call.decoded)) == held_before


def test_an_arm_that_answers_no_more_is_let_go_within_two_seconds(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    held_before = getrefcount(arm)
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    for _ in range(7):  # three a second
        bench.tap.flush()
    assert getrefcount(arm) == held_before


def test_an_answer_that_comes_after_its_arm_has_left_is_sent_too(arms: Arms, arm: Arm) -> None:
    bench = Bench(arms, 100)
    bench.tap.forget({arm})
    bench.take(answer_of(arm, [[1.5, 0.2, "short"]]))
    bench.tap.flush()
    assert len(bench.sent) == 1
