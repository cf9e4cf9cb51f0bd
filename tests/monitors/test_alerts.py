"""The state machine of an alert."""

from dataclasses import replace
from typing import Literal

import pytest

from monitors.alerts import AlertPolicy, is_transition
from monitors.causes import Reading
from monitors.effects import Movement
from monitors.importance import Importance
from monitors.live.stream import Standing
from monitors.records import Alert, StreamKey, Variant
from monitors.thresholds import Thresholds

POLICY = AlertPolicy(Thresholds(clear_ticks=2))
WARN, PAGE = 0.10, 0.20


def reading(*effects: float, noise: float = 0.0, companions: tuple[Movement, ...] = ()) -> Reading:
    """Return a reading of drift with one movement an effect."""
    moves = tuple(Movement(f"f{i}", "wasserstein", e, noise, "median 1", "median 2") for i, e in enumerate(effects))
    return Reading("drift", WARN, PAGE, moves, companions)


def play(*effects: float, variant: Variant = "stable") -> list[str | None]:
    """Return the state after each effect in turn."""
    alert: Alert | None = None
    states: list[str | None] = []
    for tick, effect in enumerate(effects):
        alert = POLICY.decide(StreamKey("m", "1", "d", variant), reading(effect), alert, float(tick))
        states.append(alert.state if alert else None)
    return states


@pytest.mark.parametrize(
    ("effects", "states"),
    [
        pytest.param((0.0, 0.09), [None, None], id="ok"),
        pytest.param((0.10, 0.15), ["warn", "warn"], id="warn"),
        pytest.param((0.20, 0.25), ["firing", "firing"], id="firing-at-once"),
        pytest.param((0.12, 0.30), ["warn", "firing"], id="warn-then-firing"),
        pytest.param((0.12, 0.07, 0.07), ["warn", "warn", "warn"], id="warn-holds-above-half"),
        pytest.param((0.12, 0.04, 0.04), ["warn", "recovering", "resolved"], id="warn-resolves"),
        pytest.param((0.30, 0.12, 0.12), ["firing", "firing", "firing"], id="firing-holds-above-half"),
        pytest.param((0.30, 0.08, 0.04, 0.04), ["firing", "recovering", "recovering", "resolved"], id="resolves"),
        pytest.param((0.30, 0.04, 0.08, 0.04), ["firing", *["recovering"] * 3], id="calm-must-be-consecutive"),
        pytest.param((0.30, 0.04, 0.30), ["firing", "recovering", "firing"], id="fires-again"),
        pytest.param((0.30, 0.04, 0.15, 0.04), ["firing", *["recovering"] * 3], id="dead-band"),
        pytest.param((0.12, 0.04, 0.12), ["warn", "recovering", "warn"], id="warns-again"),
        pytest.param((0.30, 0.0, 0.0, 0.30), ["firing", "recovering", "resolved", "firing"], id="a-new-incident"),
    ],
)
def test_states_follow_the_effect_with_hysteresis(effects: tuple[float, ...], states: list[str | None]) -> None:
    assert play(*effects) == states


def test_a_shadow_fires_as_a_warning_and_recovers_like_any_other() -> None:
    key = StreamKey("m", "1", "d", "shadow")
    alert = POLICY.decide(key, reading(0.5), None, 0.0)
    assert alert is not None
    assert (alert.state, alert.severity, alert.threshold) == ("firing", "warning", PAGE)
    assert play(0.5, 0.12, 0.0, 0.0, variant="shadow") == ["firing", "firing", "recovering", "resolved"]


def test_what_the_sample_size_explains_does_not_count() -> None:
    key = StreamKey("m", "1", "d", "stable")
    assert POLICY.decide(key, reading(0.14, noise=0.05), None, 0.0) is None
    assert POLICY.decide(key, reading(0.16, noise=0.05), None, 0.0) is not None


def test_newcomers_join_as_drivers_and_those_named_stay() -> None:
    key = StreamKey("m", "1", "d", "stable")
    first = POLICY.decide(key, reading(0.3, 0.0), None, 0.0)
    assert first is not None
    second = POLICY.decide(key, reading(0.25, 0.5), first, 1.0)
    assert second is not None
    assert second.id == first.id
    assert [(driver.name, driver.effect) for driver in second.drivers] == [("f0", 0.25), ("f1", 0.5)]
    third = POLICY.decide(key, reading(0.0, 0.5), second, 2.0)
    assert third is not None
    assert [driver.name for driver in third.drivers] == ["f0", "f1"]


def test_at_most_five_drivers_are_named_the_furthest_first() -> None:
    alert = POLICY.decide(StreamKey("m", "1", "d", "stable"), reading(*(0.2 + 0.01 * i for i in range(8))), None, 0.0)
    assert alert is not None
    assert [driver.name for driver in alert.drivers] == ["f7", "f6", "f5", "f4", "f3"]


def test_any_broken_answer_fires_and_none_resolves() -> None:
    key = StreamKey("m", "1", "d", "canary")
    broken = Reading("broken-output", 0.0, 0.0, (Movement("answer", "broken", 1e-6, 0.0, "", ""),))
    none = Reading("broken-output", 0.0, 0.0, (Movement("answer", "broken", 0.0, 0.0, "", ""),))
    assert POLICY.decide(key, none, None, 0.0) is None
    alert = POLICY.decide(key, broken, None, 0.0)
    assert alert is not None
    assert alert.state == "firing"
    for expected in ("recovering", "resolved"):
        assert alert is not None
        alert = POLICY.decide(key, none, alert, 1.0)
        assert alert is not None
        assert alert.state == expected


def test_only_another_state_or_severity_is_a_transition() -> None:
    alert = POLICY.decide(StreamKey("m", "1", "d", "stable"), reading(0.3), None, 0.0)
    assert alert is not None
    assert is_transition(None, alert)
    assert not is_transition(alert, replace(alert, effect=0.4, updated_at=9.0))
    assert is_transition(alert, replace(alert, severity="page"))


def test_an_alert_says_what_moved_by_how_much_since_when_and_what_to_do() -> None:
    alert = POLICY.decide(StreamKey("m", "3", "d", "canary"), reading(0.3), None, 60.0)
    assert alert is not None
    assert (alert.model, alert.version, alert.variant, alert.cause) == ("m", "3", "canary", "drift")
    assert (alert.effect, alert.threshold, alert.since) == (0.3, PAGE, 60.0)
    assert "f0 median 1 -> median 2" in alert.summary
    assert alert.suggested_action
    assert alert.calibration == "uncalibrated"


KEY = StreamKey("m", "1", "d", "stable")


def named(effects: tuple[float, ...], importance: dict[str, float], previous: Alert | None = None) -> list[str]:
    """Return the drivers' names, in order."""
    alert = POLICY.decide(KEY, replace(reading(*effects), importance=Importance(importance)), previous, 1.0)
    assert alert is not None
    return [driver.name for driver in alert.drivers]


def test_drivers_come_by_effect_times_importance() -> None:
    effects = tuple(0.2 + 0.01 * i for i in range(8))
    assert named(effects, {"f0": 2.0, "f3": 1.5, "f7": 0.5}) == ["f0", "f3", "f6", "f5", "f4"]


def test_without_importance_the_order_is_that_of_the_effects() -> None:
    assert named((0.2, 0.4, 0.3), {}) == ["f1", "f2", "f0"]


def test_features_of_no_importance_come_last_and_are_named_all_the_same() -> None:
    assert named((0.5, 0.2, 0.6), {"f0": 0.0, "f2": 0.0}) == ["f1", "f2", "f0"]
    assert named((0.5, 0.05), {"f0": 0.0, "f1": 100.0}) == ["f0"], "importance makes no driver of what did not move"


def test_a_newcomer_of_more_importance_goes_before_those_already_named() -> None:
    first = POLICY.decide(KEY, reading(0.0, *[0.3] * 5), None, 0.0)
    assert named((0.15, *[0.3] * 5), {"f0": 9.0}, first) == ["f0", "f1", "f2", "f3", "f4"]
    assert "f0" not in named((0.15, *[0.3] * 5), {}, first)


def test_importance_changes_neither_level_nor_effect_of_an_alert() -> None:
    plain = POLICY.decide(KEY, reading(0.3, 0.15), None, 0.0)
    weighed = POLICY.decide(KEY, replace(reading(0.3, 0.15), importance=Importance({"f0": 0.0})), None, 0.0)
    assert plain is not None
    assert weighed is not None
    assert replace(weighed, drivers=plain.drivers, summary=plain.summary) == plain


def test_features_beside_answers_that_moved_come_by_importance_after_these() -> None:
    company = tuple(Movement(name, "wasserstein", 0.3, 0.0, "", "") for name in ("a", "b"))
    moved = Reading("prediction-drift", WARN, PAGE, (Movement("class x", "share", 0.2, 0.0, "", ""),), company)
    alert = POLICY.decide(KEY, replace(moved, importance=Importance({"b": 2.0, "class x": 0.0})), None, 0.0)
    assert alert is not None
    assert [driver.name for driver in alert.drivers] == ["class x", "b", "a"]


WRONG = Movement("https", "wrong_type", 1.0, 0.0, "wrong type 0 %", "wrong type 100 %")


def judged(excess: float, nats: float, *, crossed: Literal["warning", "page"] | None = None) -> Reading:
    """Return a reading with a rule broken so far, and with evidence about another feature."""
    standing = Standing(
        nats, 12.6, 14.6, crossed, frozenset(), frozenset(), lasts=False, is_over=False, calibration="profile"
    )
    moved = Movement("age", "missing", 0.3 if crossed else 0.0, 0.0, "missing 0 %", "missing 30 %")
    rule = replace(WRONG, effect=excess)
    return Reading("data-quality", 0.02, 0.1, (rule, moved), (), (rule,), standing, 0.01, may_page=True)


def decided(found: Reading, previous: Alert | None = None) -> Alert:
    """Return the alert after a reading."""
    alert = POLICY.decide(KEY, found, previous, 1.0)
    assert alert is not None
    return alert


@pytest.mark.parametrize("excess", [pytest.param(1.0, id="page"), pytest.param(0.05, id="warn")])
def test_an_alert_by_rule_bears_no_evidence(excess: float) -> None:
    alert = decided(judged(excess, -708.4))
    assert (alert.calibration, alert.evidence, alert.evidence_threshold) == ("rule", None, None)
    later = decided(judged(excess, -700.0), replace(alert, evidence=-708.4, evidence_threshold=14.6))
    assert (later.calibration, later.evidence, later.evidence_threshold) == ("rule", None, None)


def test_evidence_pages_beside_a_rule_that_warns() -> None:
    warned = decided(judged(0.05, -708.4))
    paged = decided(judged(0.05, 15.0, crossed="page"), warned)
    assert (paged.state, paged.severity, paged.calibration, paged.evidence) == ("firing", "page", "profile", 15.0)
    assert decided(judged(0.05, 15.0, crossed="page")).severity == "page"


def test_a_rule_that_pages_after_a_warning_by_evidence_takes_its_evidence_away() -> None:
    warned = decided(judged(0.0, 13.0, crossed="warning"))
    assert (warned.severity, warned.calibration, warned.evidence) == ("warning", "profile", 13.0)
    paged = decided(judged(1.0, 13.0), warned)
    assert (paged.severity, paged.calibration, paged.evidence) == ("page", "rule", None)
