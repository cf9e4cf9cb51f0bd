"""Evidence on live streams: who pages, when, about what, and when it is over."""

import numpy as np

from tests.monitors.live.material import LiveScene
from tests.monitors.material import evidence, info, observe, rows


def test_unchanged_traffic_is_silent() -> None:
    scene = LiveScene()
    scene.live(400)
    assert scene.service.alerts() == []


def test_a_shift_pages_within_seconds_and_names_what_moved() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(5, shift=0.7)
    drift = scene.alert("drift")
    assert (drift.state, drift.severity, drift.calibration) == ("firing", "page", "profile")
    assert drift.drivers[0].name == "age"
    assert "https" not in {driver.name for driver in drift.drivers}
    assert drift.evidence is not None
    assert drift.evidence_threshold is not None
    assert drift.evidence >= drift.evidence_threshold > 13.0
    assert "table" in drift.assumes
    assert drift.budget == "1 false page a week (mean)"


def test_a_small_shift_that_no_effect_threshold_sees_pages_too() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(60, shift=0.25)
    drift = scene.alert("drift")
    assert drift.severity == "page"
    assert drift.effect < 0.2


def test_a_policy_of_baselines_only_warns_on_a_profile() -> None:
    scene = LiveScene(page_on="baseline")
    scene.live(60)
    scene.live(5, shift=0.7)
    drift = scene.alert("drift")
    assert (drift.state, drift.severity, drift.calibration) == ("firing", "warning", "profile")
    assert scene.pages() == []


def test_a_lasting_change_pages_once_and_stays_open() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(300, shift=0.25)
    assert scene.pages().count("drift") == 1
    assert scene.alert("drift").state == "firing"


def test_what_is_over_resolves_no_sooner_than_the_least_time_of_a_page() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(4, shift=1.0)
    fired_at = next(alert.updated_at for alert in scene.sink.published if alert.severity == "page")
    scene.live(60)
    drift = scene.alert("drift")
    assert drift.state == "resolved"
    assert scene.pages().count("drift") == 1
    assert drift.resolved_at is not None
    assert drift.resolved_at - fired_at >= 10.0
    assert scene.service.alerts()[0].state == "resolved"


def test_missing_values_page_as_data_quality_and_the_drift_beside_them_only_warns() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(6, missing=1.0)
    assert scene.alert("data-quality").severity == "page"
    assert {alert.severity for alert in scene.service.alerts() if alert.cause == "drift"} <= {"warning"}


def test_weak_under_confidence_pages_as_confidence_and_names_the_figures() -> None:
    scene = LiveScene()
    scene.live(60)
    scene.live(10, temperature=2.0)
    collapse = scene.alert("confidence-collapse")
    assert collapse.severity == "page"
    assert {driver.name for driver in collapse.drivers} & {"top-1", "margin", "entropy"}


def test_nothing_pages_during_the_burn_in_of_a_version() -> None:
    scene = LiveScene()
    scene.live(5, shift=1.0)
    assert scene.service.alerts() == []
    scene.live(6, shift=1.0)
    assert scene.alert("drift").severity == "page"


def test_a_trickle_is_pooled_and_still_pages() -> None:
    scene = LiveScene()
    scene.live(120, n=2)
    scene.live(60, shift=2.0, n=2)
    assert scene.alert("drift").severity == "page"


def test_a_version_whose_evidence_cannot_be_used_is_judged_by_effect_and_the_report_says_why() -> None:
    scene = LiveScene()
    scene.service.take_info(info("2", evidence=b"{"))
    scene.live(30, version="2", shift=1.0)
    assert scene.alert("drift").calibration == "uncalibrated"
    assert scene.pages() == []
    versions = {version["version"]: version for version in scene.service.report("phishing")["versions"]}
    assert versions["2"]["calibration"] == "uncalibrated"
    assert "not JSON" in versions["2"]["evidence_error"]
    assert versions["1"]["evidence_error"] == "no rows as stable or canary yet"


def test_rows_that_stable_answered_for_a_failed_canary_are_no_evidence_of_either() -> None:
    scene = LiveScene()
    scene.service.take_info(info("2", evidence=evidence()))
    for _ in range(80):
        plain, failed = rows(scene.rng, 80), rows(scene.rng, 20)
        failed[:, 1] += 20.0
        left = rows(scene.rng, 20)
        left[:, 1] -= 20.0
        now_s = scene.clock.now_s
        scene.service.take(observe(plain, now_s))
        scene.service.take(observe(failed, now_s, flag=1))
        scene.service.take(observe(left, now_s, version="2", variant="canary"))
        scene.pass_second()
    assert [alert for alert in scene.service.alerts() if alert.calibration == "profile"] == []


def test_a_crossing_of_a_shadow_never_happens() -> None:
    scene = LiveScene()
    scene.live(30, variant="shadow", shift=1.0)
    assert {alert.severity for alert in scene.service.alerts()} == {"warning"}
    assert {alert.calibration for alert in scene.service.alerts()} == {"uncalibrated"}


def test_evidence_is_the_same_however_rows_were_split_over_workers() -> None:
    one, four = LiveScene(), LiveScene()
    order = np.random.default_rng(3)
    for _ in range(40):
        values_nd = rows(one.rng, 150)
        values_nd[:, 1] += 1.0
        at_n = one.clock.now_s + order.random(150) * 0.9
        one.service.take(observe(values_nd, at_n))
        for k, part in enumerate(np.array_split(order.permutation(150), 4)):
            four.service.take(observe(values_nd[part], at_n[part], worker=f"w{k}"))
        for scene in (one, four):
            scene.pass_second()
    levels = [{n + str(lab): v for n, lab, v in s.service.gauges() if n == "weir_evidence_nats"} for s in (one, four)]
    assert levels[0] == levels[1]
    assert max(levels[0].values()) > 1.0


def test_the_first_broken_answer_pages_in_its_own_block() -> None:
    scene = LiveScene()
    scene.live(10)
    scene.service.take(observe(rows(scene.rng, 1), scene.clock.now_s, scores_nk=np.full((1, 2), np.nan)))
    broken = scene.alert("broken-output")
    assert (broken.state, broken.severity, broken.calibration) == ("firing", "page", "rule")


def test_a_frozen_feature_pages_by_rule_in_its_own_block_and_ends() -> None:
    scene = LiveScene()
    scene.live(10)
    for _ in range(2):
        values_nd = rows(scene.rng, 100)
        values_nd[:, 1] = 41.5
        scene.service.take(observe(values_nd, scene.clock.now_s))
    frozen = scene.alert("data-quality")
    assert (frozen.severity, frozen.calibration, frozen.drivers[0].statistic) == ("page", "rule", "frozen")
    scene.live(60)
    assert scene.alert("data-quality").state == "resolved"
