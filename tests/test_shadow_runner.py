"""Shadows: what is offered to them, how it travels, and how their answers compare with stable's."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.call import Call
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.errors import InputRejected
from gateway.routing.table import ModelRoute, ShadowSample
from gateway.settings import LimitSettings
from gateway.shadow_feed import ShadowFeed
from gateway.shadow_jobs import ShadowJob, pack_jobs, unpack_jobs
from gateway.shadow_runner import ShadowResult, ShadowRunner
from monitors.records import BROKEN_FLAG, OUT_OF_RANGE_FLAG
from tests import models
from tests.answers import Arms, answer_of
from tests.serving import HandClock, ListSink, counted, servable_of

ROWS = [[5.0, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.5, 3.0, 5.5, 2.0]]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return servable_of(tmp_path_factory.mktemp("iris"), models.zipmap_classifier())


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return servable_of(tmp_path_factory.mktemp("identity"), models.elementwise("Identity"))


def job(rows: Sequence[Any], labels: Sequence[int], scores: Any, classes: Sequence[str] = ()) -> ShadowJob:
    body = json.dumps({"instances": list(rows)}).encode()
    return ShadowJob(
        "m",
        ("2",),
        "1",
        "plain",
        body,
        "r",
        5.0,
        tuple(classes),
        np.array(labels, np.int32),
        np.array(scores, np.float64),
    )


def run(servable: ServableVersion, offered: ShadowJob) -> ShadowResult:
    return ShadowRunner(servable, LimitSettings(), "shadow-1").run(offered)


def own_scores(servable: ServableVersion) -> Any:
    scores_nk = servable.run({"X": np.array(ROWS, np.float32)}, 3).scores_nk
    assert scores_nk is not None
    return scores_nk.astype(np.float64)


def test_the_same_model_agrees_with_itself(iris: ServableVersion) -> None:
    scores_nk = own_scores(iris)
    result = run(iris, job(ROWS, [0, 1, 2], scores_nk, ["0", "1", "2"]))
    comparison, seen = result.comparison, result.observation
    assert comparison.agrees_n.tolist() == [True] * 3
    assert comparison.score_differences_n.tolist() == [0.0] * 3
    assert (comparison.key.variant, comparison.answered_by, comparison.worker) == ("shadow", "1", "shadow-1")
    assert comparison.request_ids == seen.request_ids == ("r",) * 3
    assert (comparison.agrees_n.dtype.name, comparison.score_differences_n.dtype.name) == ("bool", "float64")
    assert (seen.values_nd.shape, seen.scores_nk.shape, seen.labels_n.tolist()) == ((3, 4), (3, 3), [0, 1, 2])
    assert seen.answered_at_n.tolist() == [5.0] * 3


def test_classes_are_compared_by_name_in_whatever_order(iris: ServableVersion) -> None:
    scores_nk = own_scores(iris)[:, [2, 0, 1]]
    comparison = run(iris, job(ROWS, [1, 2, 0], scores_nk, ["2", "0", "1"])).comparison
    assert comparison.agrees_n.tolist() == [True] * 3
    np.testing.assert_allclose(comparison.score_differences_n, 0.0, atol=1e-12)


def test_the_difference_of_two_distributions_is_their_total_variation(iris: ServableVersion) -> None:
    own_nk = own_scores(iris)
    theirs_nk = np.array([[1.0, 0.0, 0.0]] * 3)
    comparison = run(iris, job(ROWS, [0, 0, 0], theirs_nk, ["0", "1", "2"])).comparison
    assert comparison.agrees_n.tolist() == [True, False, False]
    np.testing.assert_allclose(comparison.score_differences_n, 1 - own_nk[:, 0], atol=1e-6)


def test_classes_that_one_of_the_two_does_not_know_count_whole(iris: ServableVersion) -> None:
    comparison = run(iris, job(ROWS, [1, 1, 1], [[0.0, 1.0]] * 3, ["0", "other"])).comparison
    assert comparison.agrees_n.tolist() == [False] * 3
    np.testing.assert_allclose(comparison.score_differences_n, 1.0, atol=1e-6)


def test_values_agree_within_the_tolerance(identity: ServableVersion) -> None:
    comparison = run(identity, job([[1.0], [1000.0], [2.0]], [-1] * 3, [[1.0], [1000.0005], [2.5]])).comparison
    assert comparison.agrees_n.tolist() == [True, True, False]
    np.testing.assert_allclose(comparison.score_differences_n, [0.0, 0.0005, 0.5])


def test_a_broken_answer_agrees_with_nothing_and_differs_by_a_finite_number(tmp_path: Path) -> None:
    servable = servable_of(tmp_path, models.elementwise("Reciprocal"))
    result = run(servable, job([[0.0], [2.0]], [-1, -1], [[1.0], [0.5]]))
    assert result.comparison.agrees_n.tolist() == [False, True]
    assert np.isfinite(result.comparison.score_differences_n).all()
    assert result.observation.flags_n.tolist() == [BROKEN_FLAG, 0]


def test_a_classifier_cannot_be_compared_with_a_regressor(iris: ServableVersion, identity: ServableVersion) -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        run(iris, job(ROWS, [-1] * 3, [[1.0]] * 3))
    with pytest.raises(ValueError, match="nothing to compare"):
        run(identity, job([[1.0]], [0], [[0.5, 0.5]], ["a", "b"]))
    with pytest.raises(ValueError, match="values of 1 columns here, 2 there"):
        run(identity, job([[1.0]], [-1], [[0.5, 0.5]]))


def test_another_number_of_rows_is_an_error(identity: ServableVersion) -> None:
    with pytest.raises(ValueError, match="1 rows here, 2 answered by 1"):
        run(identity, job([[1.0]], [-1, -1], [[1.0], [1.0]]))


def test_the_shadows_own_contract_judges_the_rows(tmp_path: Path) -> None:
    rejecting = servable_of(
        tmp_path / "1",
        models.elementwise("Identity"),
        manifest="interface: {features: [{name: x, range: {max: 5}, out_of_range: reject}]}",
    )
    with pytest.raises(InputRejected):
        run(rejecting, job([[7.0]], [-1], [[7.0]]))
    flagging = servable_of(
        tmp_path / "2", models.elementwise("Identity"), manifest="interface: {features: [{name: x, range: {max: 5}}]}"
    )
    assert run(flagging, job([[7.0]], [-1], [[7.0]])).observation.flags_n.tolist() == [OUT_OF_RANGE_FLAG]


def test_a_shadow_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFailed):
        run(servable_of(tmp_path, models.failing_model()), job([[7.0]], [-1], [[7.0]]))


def test_requests_of_the_other_protocol_are_read_too(identity: ServableVersion) -> None:
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [3.0]}
    body = json.dumps({"inputs": [tensor]}).encode()
    offered = replace(job([[3.0]], [-1], [[3.0]]), protocol="v2", body=body)
    assert run(identity, offered).comparison.agrees_n.tolist() == [True]


def test_raw_tensors_and_data_frames_are_read_too(identity: ServableVersion) -> None:
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}
    head = json.dumps({"inputs": [tensor]}).encode()
    raw = replace(job([[3.0]], [-1], [[3.0]]), protocol="v2", body=head + np.float32(3).tobytes(), json_bytes=len(head))
    frame = replace(raw, protocol="mlflow", body=b'{"inputs": {"x": [3.0]}}', json_bytes=None)
    for offered in (raw, frame):
        (travelled,) = unpack_jobs(pack_jobs([offered]))
        assert run(identity, travelled).comparison.agrees_n.tolist() == [True]


def test_jobs_travel_as_plain_values() -> None:
    offered = [job(ROWS, [0, 1, 2], np.eye(3), ["a", "b", "c"]), job([[1.0]], [-1], np.empty((1, 0)))]
    for before, after in zip(offered, unpack_jobs(pack_jobs(offered)), strict=True):
        assert after.json_bytes == before.json_bytes
        for name in ("model", "shadows", "answered_by", "protocol", "body", "request_id", "answered_at", "classes"):
            assert getattr(after, name) == getattr(before, name)
        np.testing.assert_array_equal(after.labels_n, before.labels_n)
        np.testing.assert_array_equal(after.scores_nk, before.scores_nk)


@pytest.mark.parametrize("frame", [{}, {"jobs": 3}, {"jobs": [{}]}, {"jobs": [3]}])
def test_a_frame_that_holds_no_jobs_is_refused(frame: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a frame of shadow jobs"):
        unpack_jobs(frame)


def test_a_frame_whose_scores_do_not_fit_is_refused() -> None:
    frame = pack_jobs([job(ROWS, [0, 1, 2], np.eye(3))])
    frame["jobs"][0]["k"] = 2
    with pytest.raises(ValueError, match="reshape"):
        unpack_jobs(frame)


class Feed:
    """A feed whose channel keeps the jobs."""

    def __init__(self, arms: Arms, **limits: int) -> None:
        self.arms, self.sink = arms, ListSink()
        self.sent: list[list[ShadowJob]] = []
        self.due: list[Callable[[], None]] = []
        self.feed = ShadowFeed(self.sink, self._encode, arms.counters, HandClock(), soon=self.due.append, **limits)

    def _encode(self, jobs: Sequence[ShadowJob]) -> bytes:
        self.sent.append(list(jobs))
        return b"frame"

    def dropped(self, version: str) -> float:
        return counted(self.arms.directory, "weir_shadow_requests_total", version=version, result="dropped")


@pytest.fixture
def arms(tmp_path: Path) -> Iterator[Arms]:
    arms = Arms(tmp_path / "counters")
    yield arms
    arms.close()


def route(*shadows: tuple[str, int]) -> ModelRoute:
    samples = tuple(ShadowSample(version, sample_bp, version.encode()) for version, sample_bp in shadows)
    return ModelRoute("m", 1, None, shadows=samples)


def take(feed: Feed, call: Call, offered: ModelRoute) -> None:
    call.route = offered
    feed.feed.take(call)


def test_answers_are_offered_with_what_stable_said(arms: Arms, iris: ServableVersion) -> None:
    feed = Feed(arms)
    answer = answer_of(arms.arm(iris), ROWS, request_id="r-1")
    take(feed, answer, route(("8", 10_000), ("9", 0)))
    assert feed.sent == []
    (send,) = feed.due
    send()
    feed.feed.flush()
    ((offered,),) = feed.sent
    assert (offered.model, offered.shadows, offered.answered_by, offered.request_id) == ("m", ("8",), "1", "r-1")
    assert (offered.body, offered.protocol, offered.classes) == (answer.body, "plain", ("0", "1", "2"))
    assert offered.labels_n.tolist() == [0, 1, 2]
    assert (offered.scores_nk.shape, offered.scores_nk.dtype.name, offered.answered_at) == ((3, 3), "float64", 1_000.0)
    assert run(iris, offered).comparison.agrees_n.all()


def test_each_shadow_gets_its_share(arms: Arms, identity: ServableVersion) -> None:
    feed = Feed(arms)
    for i in range(400):
        take(feed, answer_of(arms.arm(identity), [[1.0]], request_id=f"r{i}"), route(("8", 2_500), ("9", 10_000)))
    feed.feed.flush()
    taken = [version for jobs in feed.sent for offered in jobs for version in offered.shadows]
    assert taken.count("9") == 400
    assert 70 <= taken.count("8") <= 130


def test_requests_are_sent_in_frames_of_a_limited_size(arms: Arms, identity: ServableVersion) -> None:
    feed = Feed(arms, frame_bytes=100)
    size = len(answer_of(arms.arm(identity), [[1.0]]).body)
    for _ in range(10):
        take(feed, answer_of(arms.arm(identity), [[1.0]]), route(("9", 10_000)))
    feed.feed.flush()
    most = -(-100 // size)
    assert [len(jobs) for jobs in feed.sent] == [most] * (10 // most) + ([10 % most] if 10 % most else [])


def test_what_is_too_large_or_finds_the_channel_full_is_dropped_and_counted(
    arms: Arms, identity: ServableVersion
) -> None:
    feed = Feed(arms, body_bytes=60)
    take(feed, answer_of(arms.arm(identity), [[1.0]] * 50), route(("8", 10_000), ("9", 10_000)))
    assert (feed.dropped("8"), feed.dropped("9")) == (1, 1)
    feed.sink.is_full = True
    for _ in range(3):
        take(feed, answer_of(arms.arm(identity), [[1.0]]), route(("9", 10_000)))
    feed.feed.flush()
    assert (feed.dropped("8"), feed.dropped("9")) == (1, 4)
    feed.feed.flush()
    assert feed.dropped("9") == 4
