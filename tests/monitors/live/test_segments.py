"""What moves for one segment alone, in the watch: it pages, is named, and a restart goes on with it."""

import re
from functools import cache

import numpy as np

from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.live.book import Fitted, fitted_of
from monitors.records import StreamInfo
from monitors.reference import build_profile
from tests.monitors.live.material import LiveScene
from tests.monitors.material import FEATURES, OUTPUT, info, observe, rows, scores

BLUE = 2


@cache
def told_apart() -> StreamInfo:
    """Return a version whose reference is told apart by colour, of whose rows one in twelve is blue."""
    rng = np.random.default_rng(2)
    values_nd = some_rows(rng, 20_000)
    scores_nk = scores(values_nd)
    reference = build_profile(FEATURES, OUTPUT, values_nd, scores_nk.argmax(axis=1), scores_nk, segment="colour")
    model = EvidenceModel.fit(Rows(values_nd, scores_nk), FEATURES, OUTPUT, segment="colour")
    return info(reference=reference.to_json(), evidence=write_model(model))


@cache
def fitted() -> Fitted:
    return fitted_of(told_apart())


def some_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    values_nd = rows(rng, n)
    values_nd[:, 2] = rng.choice(3, size=n, p=(0.6, 0.32, 0.08))
    return values_nd


class SegmentScene(LiveScene):
    """The live scene of a version with segments."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]  # passed on
        self.service.take_info(told_apart())

    def read_models(self) -> None:
        for unread in self.service.unread():
            self.service.learn(unread, fitted())

    def pass_seconds(self, seconds: int, *, older: float = 0.0, missing: bool = False, gone: bool = False) -> None:
        """Let seconds pass in which the blue are older, or their age is missing, or none of them comes."""
        for _ in range(seconds):
            values_nd = some_rows(self.rng, 100)
            values_nd[gone & (values_nd[:, 2] == BLUE), 2] = 0.0
            is_blue_n = values_nd[:, 2] == BLUE
            values_nd[is_blue_n, 1] += 10.0 * older
            values_nd[is_blue_n & missing, 1] = np.nan
            self.service.take(observe(values_nd, self.clock.now_s))
            self.pass_second()


def test_what_moves_for_few_of_the_rows_pages_and_is_named() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    assert scene.service.alerts() == []
    scene.pass_seconds(15, older=1.5)
    drift = scene.alert("drift")
    assert (drift.state, drift.severity, drift.calibration) == ("firing", "page", "profile")
    named = {driver.name: driver for driver in drift.drivers}
    assert set(named) == {"age where colour is blue"}
    blue = named["age where colour is blue"]
    assert blue.statistic == "segment"
    assert blue.effect > 0.2
    assert re.fullmatch(r"median 40(\.\d)? -> median 5\d(\.\d)?", f"{blue.before} -> {blue.after}")
    assert scene.pages().count("drift") == 1


def test_the_report_says_of_each_segment_how_far_its_evidence_is_from_a_page() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    scene.pass_seconds(4, older=1.5)
    found = scene.service.report("phishing")["streams"][0]
    evidence = {segment["name"]: segment["evidence"] for segment in found["segments"]["values"]}
    assert evidence.pop("other") is None
    blue = evidence.pop("blue")
    assert blue["nats"] > 2.0 > max(each["nats"] for each in evidence.values())
    (whole,) = [each for each in found["evidence"]["causes"] if each["cause"] == blue["cause"]]
    assert blue["page_nats"] == whole["page_nats"]
    assert blue["nats"] < whole["nats"] < blue["nats"] + 1.0


def test_a_change_of_one_segment_stays_open_while_it_lasts_and_ends_after_it() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    scene.pass_seconds(60, older=1.5)
    assert scene.pages().count("drift") == 1
    assert scene.alert("drift").state == "firing"
    scene.pass_seconds(60)
    assert scene.alert("drift").state == "resolved"


def test_what_only_one_segment_leaves_out_pages_as_data_quality() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    scene.pass_seconds(10, missing=True)
    quality = scene.alert("data-quality")
    assert quality.severity == "page"
    assert quality.drivers[0].name in ("age", "age where colour is blue")
    assert "age where colour is blue" in {driver.name for driver in quality.drivers}


def test_what_is_missing_is_told_as_a_share_whatever_else_moves() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    for _ in range(12):
        values_nd = some_rows(scene.rng, 100)
        is_blue_n = values_nd[:, 2] == BLUE
        values_nd[is_blue_n, 1] = np.where(scene.rng.random(is_blue_n.sum()) < 0.3, np.nan, 90.0)
        scene.service.take(observe(values_nd, scene.clock.now_s))
        scene.pass_second()
    quality = {driver.name: driver for driver in scene.alert("data-quality").drivers}["age where colour is blue"]
    assert quality.before == "missing 0 %"
    assert quality.after.startswith("missing ")
    drift = {driver.name: driver for driver in scene.alert("drift").drivers}["age where colour is blue"]
    assert drift.after.startswith("median ")


def test_confidence_in_a_segment_is_told_in_the_ranks_of_the_reference_as_that_of_all_rows() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    scene.pass_seconds(15, older=4.0)
    told = [driver for driver in scene.alert("confidence-collapse").drivers if driver.statistic == "segment"]
    assert told
    assert all(re.fullmatch(r"(median|\d+th percentile) at [\d.]+ %", driver.before) for driver in told)
    assert all(driver.after.endswith(" % of the reference") for driver in told)


def test_a_change_of_a_segment_that_is_seen_no_more_ends() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20, older=1.5)
    assert scene.alert("prediction-drift").state == "firing"
    scene.pass_seconds(135, gone=True)
    assert scene.alert("prediction-drift").state == "resolved"


def test_a_restart_remembers_which_segment_has_changed() -> None:
    scene = SegmentScene()
    scene.pass_seconds(20)
    scene.pass_seconds(30, older=1.5)
    before = scene.alert("drift")
    other = SegmentScene(clock=scene.clock, store=scene.store, seed=8)
    other.service.restore(scene.service.state())
    other.pass_seconds(20, older=1.5)
    assert other.alert("drift").id == before.id
    assert other.alert("drift").state == "firing"
    other.pass_seconds(60)
    assert other.alert("drift").state == "resolved"
