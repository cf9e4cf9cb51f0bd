"""The whole monitor on a clock pumped by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from monitors.detectors.plug_ins import load_choice
from monitors.gauges import GAUGES
from monitors.records import UNSEEN_CODE, Alert, FaultTotals, ShadowComparison, StreamInfo, StreamKey, Variant
from monitors.service import MonitorService
from monitors.thresholds import Thresholds
from tests.monitors.material import (
    FEATURES,
    OUTPUT,
    HandClock,
    ListSink,
    MemoryAlertStore,
    info,
    observe,
    profile,
    rows,
)

TICK_S = 2.0
ROWS_A_TICK = 300


class Scene:
    """A service, its clock and traffic."""

    def __init__(self, *, store: MemoryAlertStore | None = None, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.sink = ListSink()
        self.store = store or MemoryAlertStore()
        self.rng = np.random.default_rng(7)
        thresholds = Thresholds(tick_s=TICK_S, minimum_rows=200, window_ticks=3, clear_ticks=2, silence_s=60.0)
        self.service = MonitorService(thresholds, self.clock, store=self.store, sinks=[self.sink])
        self.service.take_info(info())

    def live(
        self, ticks: int, *, broken: str = "", version: str = "1", variant: Variant = "stable", n: int = ROWS_A_TICK
    ) -> None:
        """Let ticks with traffic pass; ``broken`` says what is wrong with it."""
        for _ in range(ticks):
            values_nd = rows(self.rng, n)
            scores_nk = None
            if broken == "missing":
                values_nd[:, :2] = np.nan
            if broken == "constant":
                values_nd[:, 0], values_nd[:, 1] = 0.5, 40.0
            if broken == "unseen":
                values_nd[:, 2] = UNSEEN_CODE
            if broken == "nan answers":
                scores_nk = np.full((n, 2), np.nan)
            self.service.take(
                observe(values_nd, self.clock.now_s, version=version, variant=variant, scores_nk=scores_nk)
            )
            self.pass_tick()

    def pass_tick(self) -> None:
        self.clock.now_s += TICK_S
        self.service.tick()

    def states(self) -> dict[str, str]:
        return {alert.cause: alert.state for alert in reversed(self.service.alerts())}

    def alert(self, cause: str) -> Alert:
        return next(alert for alert in self.service.alerts() if alert.cause == cause)


def test_normal_traffic_is_silent() -> None:
    scene = Scene()
    scene.live(40)
    assert scene.service.alerts() == []
    assert scene.sink.published == []


def test_missing_features_raise_quality_and_drift_and_are_named() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(3, broken="missing")
    quality, drift = scene.alert("data-quality"), scene.alert("drift")
    assert (quality.state, quality.severity) == ("firing", "warning")
    assert [driver.name for driver in quality.drivers] == ["https", "age"]
    told = quality.drivers[0].before, quality.drivers[0].after
    assert told == ("median 0.5, missing 0 %", "missing 100 %")
    assert {driver.name for driver in drift.drivers} == {"https", "age"}
    assert "phishing version 1 (stable), data-quality: https median 0.5, missing 0 % -> missing" in quality.summary
    assert quality.runbook == "docs/runbooks/data-quality.md"
    assert quality.since == scene.clock.now_s - 2 * TICK_S - 1.0


def test_the_more_important_of_two_features_that_moved_is_named_first() -> None:
    scene = Scene()
    scene.service.take_info(replace(info(), importances=(1.0, 3.0, 1.0)))
    scene.live(4)
    scene.live(3, broken="missing")
    assert [driver.name for driver in scene.alert("data-quality").drivers] == ["age", "https"]
    assert "data-quality: age" in scene.alert("data-quality").summary


def test_an_answer_that_no_longer_depends_on_the_input_is_a_collapse_that_names_the_features() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(3, broken="constant")
    collapse = scene.alert("confidence-collapse")
    assert (collapse.state, collapse.severity) == ("firing", "warning")
    assert collapse.drivers[0].name == "answer"
    assert {driver.name for driver in collapse.drivers[1:]} == {"https", "age"}
    assert "constant-output" in collapse.drivers[0].after


def test_alerts_resolve_after_recovery_and_each_is_published_once_a_state() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(4, broken="missing")
    scene.live(6)
    assert set(scene.states().values()) == {"resolved"}
    assert all(alert.resolved_at is not None for alert in scene.service.alerts())
    quality = [alert.state for alert in scene.sink.published if alert.cause == "data-quality"]
    assert quality == ["firing", "recovering", "resolved"]
    assert scene.store.load_open() == []


def test_a_restart_neither_loses_nor_repeats_an_alert() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(3, broken="missing")
    before = scene.alert("data-quality")
    restarted = Scene(store=scene.store, clock=scene.clock)
    assert restarted.alert("data-quality").id == before.id
    restarted.live(3, broken="missing")
    after = restarted.alert("data-quality")
    assert (after.id, after.since, after.state) == (before.id, before.since, "firing")
    assert [alert for alert in restarted.sink.published if alert.cause == "data-quality"] == []
    restarted.live(6)
    assert restarted.states()["data-quality"] == "resolved"


def test_a_broken_store_does_not_silence_an_alert_and_is_retried() -> None:
    scene = Scene()
    scene.live(4)
    scene.store.is_broken = True
    scene.live(2, broken="missing")
    assert "data-quality" in {alert.cause for alert in scene.sink.published}
    assert scene.store.saved == []
    scene.store.is_broken = False
    scene.live(1, broken="missing")
    assert "data-quality" in {alert.cause for alert in scene.store.load_open()}


def test_a_shadow_never_pages() -> None:
    scene = Scene()
    scene.live(4, variant="shadow")
    scene.live(3, broken="missing", variant="shadow")
    assert scene.alert("data-quality").state == "firing"
    assert {alert.severity for alert in scene.service.alerts()} == {"warning"}


def test_a_pinned_stream_raises_nothing() -> None:
    scene = Scene()
    scene.live(6, broken="missing", variant="pinned")
    assert scene.service.alerts() == []


def test_too_few_rows_are_pooled_before_they_are_judged() -> None:
    scene = Scene()
    scene.live(2, broken="missing", n=90)
    assert scene.service.alerts() == []
    scene.live(1, broken="missing", n=90)
    assert "data-quality" in scene.states()


def test_one_broken_answer_pages_at_once() -> None:
    scene = Scene()
    scene.live(1, broken="nan answers", n=1)
    alert = scene.alert("broken-output")
    assert (alert.state, alert.severity, alert.drivers[0].after) == ("firing", "page", "broken 100 %")


def test_a_version_that_was_taken_out_of_traffic_resolves_its_alerts() -> None:
    scene = Scene()
    scene.service.take_info(info("2"))
    for _ in range(3):
        scene.service.take(
            observe(rows(scene.rng, 50), scene.clock.now_s, version="2", variant="canary", scores_nk=np.ones((50, 2)))
        )
        scene.live(1)
    assert scene.alert("broken-output").version == "2"
    scene.live(7)
    assert scene.alert("broken-output").state == "resolved"
    assert "no longer answers" in scene.alert("broken-output").summary


def test_a_stored_alert_of_a_model_that_never_comes_back_is_resolved_after_the_silence() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(2, broken="missing")
    restarted = Scene(store=scene.store, clock=scene.clock)
    for _ in range(20):
        restarted.pass_tick()
    assert restarted.alert("data-quality").state == "firing"
    for _ in range(12):
        restarted.pass_tick()
    assert restarted.alert("data-quality").state == "resolved"


def test_silence_of_the_stable_version_is_an_alert_that_ends_with_the_silence() -> None:
    scene = Scene()
    scene.live(2)
    for _ in range(31):
        scene.pass_tick()
    alert = scene.alert("no-data")
    assert (alert.state, alert.severity) == ("warn", "warning")
    words = "phishing version 1 (stable), no-data{}: traffic last row 00:16:43Z -> no row for 63 s"
    assert alert.summary == words.format("")
    scene.live(4)
    over = scene.alert("no-data")
    assert over.state == "resolved"
    assert over.summary == words.format(" until 00:17:50Z")


def test_a_feature_of_unseen_categories_is_one_alert_that_says_so() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(4, broken="unseen")
    assert scene.states() == {"data-quality": "firing"}
    assert [driver.after for driver in scene.alert("data-quality").drivers] == ["unseen 100 %"]
    assert "no value" not in scene.alert("data-quality").summary


def test_requests_that_the_contract_refused_are_a_quality_signal() -> None:
    scene = Scene()
    for tick in range(4):
        rejected = max(0, tick - 1) * 150
        faults = {("https", "wrong_type"): rejected, ("extra", "unknown"): tick * 300}
        scene.service.take_faults([FaultTotals("phishing", "1", tick * 300, faults)])
        scene.live(1)
    quality = scene.alert("data-quality")
    assert [(driver.name, driver.statistic) for driver in quality.drivers] == [("https", "wrong_type")]


def test_a_version_whose_every_request_is_refused_is_still_judged() -> None:
    scene = Scene()
    for tick in range(4):
        faults = {("https", "missing"): tick * 300}
        scene.service.take_faults([FaultTotals("phishing", "1", tick * 300, faults)])
        scene.pass_tick()
    assert scene.alert("data-quality").state == "firing"


def test_a_version_without_a_reference_is_watched_for_what_needs_none() -> None:
    scene = Scene()
    scene.service.take_info(info("2", reference=b""))
    scene.live(2, version="2")
    scene.live(2, version="2", broken="nan answers")
    assert scene.states() == {"broken-output": "firing"}


def test_an_unusable_reference_is_reported_and_does_not_stop_the_watch() -> None:
    scene = Scene()
    scene.service.take_info(info("2", reference=b"{"))
    scene.live(2, version="2")
    version = scene.service.report("phishing")["versions"][1]
    assert not version["has_reference"]
    assert "not JSON" in version["reference_error"]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b'"counts": [%d,' % 10**30, id="count beyond any integer"),
        pytest.param(b'"counts": [-1,', id="negative count"),
        pytest.param(b'"counts": [7,', id="sum"),
        pytest.param(b'"counts": [1e999,', id="infinite"),
        pytest.param(b'"counts": [' + b"[" * 100_000, id="deep"),
    ],
)
def test_a_hostile_reference_is_refused_and_counted_and_the_watch_goes_on(hostile: bytes) -> None:
    scene = Scene()
    text = b"".join(profile(100).to_json().split()).replace(b'"counts":[0,', hostile, 1)
    assert hostile in text
    for _ in range(2):
        scene.service.take_info(info("2", reference=text))
    scene.live(2, version="2")
    scene.live(4)
    assert scene.service.refused_records == 1
    known, refused = scene.service.report("phishing")["versions"]
    assert (known["has_reference"], refused["has_reference"]) == (True, False)
    assert refused["reference_error"]
    assert [stream["rows"] for stream in scene.service.report("phishing")["streams"]] == [300, 300]


def test_records_that_do_not_fit_are_counted_and_refused() -> None:
    scene = Scene()
    scene.service.take(observe(rows(scene.rng, 3), scene.clock.now_s, version="unknown"))
    scene.service.take(observe(rows(scene.rng, 3)[:, :2], scene.clock.now_s))
    scene.service.receive({"kind": "nothing"})
    assert scene.service.refused_records == 3


def test_streams_are_bounded_and_the_least_recently_seen_goes() -> None:
    clock = HandClock()
    service = MonitorService(Thresholds(tick_s=TICK_S), clock, max_streams=3)
    rng = np.random.default_rng(0)
    for i in range(5):
        service.take_info(StreamInfo("phishing", str(i), f"digest-{i}", FEATURES, OUTPUT))
        service.take(observe(rows(rng, 2), clock.now_s, version=str(i)))
    assert [stream["version"] for stream in service.report("phishing")["streams"]] == ["2", "3", "4"]


def test_the_report_is_json_and_has_what_is_drawn() -> None:
    scene = Scene()
    scene.live(4)
    scene.service.take_comparison(
        ShadowComparison(
            key=StreamKey("phishing", "1", "digest-1", "shadow"),
            answered_by="1",
            worker="s",
            request_ids=("a", "b"),
            answered_at_n=np.full(2, scene.clock.now_s),
            agrees_n=np.array([True, False]),
            score_differences_n=np.array([0.25, 0.75]),
        )
    )
    report = json.loads(json.dumps(scene.service.report("phishing"), allow_nan=False))
    stable, shadow = report["streams"]
    assert [feature["name"] for feature in stable["features"]] == ["https", "age", "colour"]
    assert stable["features"][0]["labels"][1:4] == ["0", "0.5", "1"]
    assert len(stable["features"][1]["counts"]) == len(stable["features"][1]["reference_counts"]) == 20
    assert sum(share["share"] for share in stable["predictions"]) == pytest.approx(1.0)
    assert stable["confidence"]["collapse_index"] < 0.2
    assert shadow["shadow"] == {"rows": 2, "agreement": 0.5, "score_difference": 0.5}


def test_the_report_says_of_when_its_window_is_and_what_came_since() -> None:
    scene = Scene()
    scene.live(1, n=5)
    scene.live(1)
    full_s = scene.clock.now_s - TICK_S - 1.0
    scene.live(6, n=10)
    stream = scene.service.report("phishing")["streams"][0]
    judged_s = full_s + 3 * TICK_S
    assert (stream["rows"], stream["rows_since"], stream["rows_total"]) == (320, 40, 365)
    assert (stream["window_from"], stream["window_to"]) == (full_s, judged_s)
    for _ in range(10):
        scene.pass_tick()
    assert scene.service.report("phishing")["streams"][0]["window_to"] == judged_s


def test_a_stream_that_was_never_judged_has_no_window() -> None:
    scene = Scene()
    scene.service.take(observe(rows(scene.rng, 5), scene.clock.now_s))
    stream = scene.service.report("phishing")["streams"][0]
    assert (stream["window_from"], stream["window_to"], stream["rows_since"]) == (None, None, 5)


def test_every_gauge_is_declared_and_states_exist_before_any_alert() -> None:
    scene = Scene()
    scene.live(4)
    gauges = list(scene.service.gauges())
    assert {name for name, _, _ in gauges} <= set(GAUGES)
    states = {labels["cause"]: value for name, labels, value in gauges if name == "weir_alert_state"}
    assert len(states) == 6
    assert set(states.values()) == {0.0}


def test_detectors_are_shown_and_never_alert() -> None:
    clock, rng = HandClock(), np.random.default_rng(3)
    choice = load_choice(["page-hinkley"], {"quiet": []})
    service = MonitorService(Thresholds(tick_s=TICK_S, drift_warn=9.0, drift_page=9.0), clock, choice=choice)
    service.take_info(info())
    for tick in range(45):
        values_nd = rows(rng, 100)
        values_nd[:, 1] += 10.0 if tick >= 35 else 0.0
        service.take(observe(values_nd, clock.now_s, scores_nk=np.tile([0.3, 0.7], (100, 1))))
        clock.now_s += TICK_S
        service.tick()
    (found,) = json.loads(json.dumps(service.report("phishing"), allow_nan=False))["streams"][0]["detectors"]
    spoke = {signal["signal"]: signal["detections"] for signal in found["signals"] if signal["detections"]}
    assert (found["name"], found["calibration"], found["is_warm"], found["failed"]) == (
        "page-hinkley", "uncalibrated", True, None
    )  # fmt: skip
    assert spoke == {"feature/age": 1}
    gauges = {(n, lab["signal"]): v for n, lab, v in service.gauges() if n == "weir_uncalibrated_detections"}
    assert gauges["weir_uncalibrated_detections", "feature/age"] == 1.0
    assert {alert.cause for alert in service.alerts()} <= {"prediction-drift", "confidence-collapse"}


def test_the_report_has_the_usual_distances_beside_their_null_bands() -> None:
    scene = Scene()
    scene.live(4)
    features = {feature["name"]: feature for feature in scene.service.report("phishing")["streams"][0]["features"]}
    for name in ("psi", "jensen_shannon", "ks"):
        assert 0.0 <= features["age"][name] < 2.0 * features["age"][f"{name}_band"]
    assert (features["colour"]["ks"], features["colour"]["ks_band"]) == (None, None)
    bands = {lab["statistic"] for n, lab, _ in scene.service.gauges() if n == "weir_drift_null_band"}
    assert bands == {"psi", "jensen_shannon", "ks"}


def test_a_labelled_reference_gives_estimates_and_another_says_why_there_are_none() -> None:
    told: dict[bool, set[str]] = {}
    for labelled in (True, False):
        clock = HandClock()
        service = MonitorService(Thresholds(tick_s=TICK_S), clock)
        service.take_info(info(reference=profile(labelled=labelled).to_json()))
        service.take(observe(rows(np.random.default_rng(3), 300), clock.now_s))
        clock.now_s += TICK_S + 1.0
        service.tick()
        told[labelled] = {name for name, _, _ in service.gauges() if name.startswith("weir_estimated")}
        found = json.loads(json.dumps(service.report("phishing"), allow_nan=False))["streams"][0]["performance"]
        assert [estimate["method"] for estimate in found["estimates"]] == ["cbpe", "atc", "bbse"]
        assert all((estimate["accuracy"] is None) == (estimate["why"] is not None) for estimate in found["estimates"])
        assert (found["spread"] is not None, len(found["labels"])) == (labelled, 2 if labelled else 0)
    names = {"weir_estimated_accuracy_ratio", "weir_estimated_accuracy_spread", "weir_estimated_label_share"}
    assert told == {True: names, False: set()}


def test_an_alert_state_is_exported_under_its_severity() -> None:
    scene = Scene()
    scene.live(4)
    scene.live(2, broken="nan answers")
    gauges = {(n, lab["cause"], lab["severity"]): v for n, lab, v in scene.service.gauges() if n == "weir_alert_state"}
    assert gauges["weir_alert_state", "broken-output", "page"] == 3.0
    assert gauges["weir_alert_state", "broken-output", "warning"] == 0.0


def test_exported_features_are_bounded() -> None:
    clock = HandClock()
    service = MonitorService(Thresholds(tick_s=TICK_S, feature_series=1), clock)
    service.take_info(info())
    service.take(observe(rows(np.random.default_rng(0), 300), clock.now_s))
    clock.now_s += TICK_S + 1.0
    service.tick()
    features = {labels["feature"] for name, labels, _ in service.gauges() if name == "weir_drift_effect"}
    assert features == {"https"}


def test_a_row_outside_the_remembered_ticks_is_dropped_and_counted() -> None:
    scene = Scene()
    scene.service.take(observe(rows(scene.rng, 5), scene.clock.now_s - 3600.0))
    scene.service.take(observe(rows(scene.rng, 5), scene.clock.now_s + 3600.0))
    stream = scene.service.report("phishing")["streams"][0]
    assert (stream["late_rows"], stream["rows_total"]) == (10, 0)
