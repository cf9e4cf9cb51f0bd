"""Accepted baselines in the watch."""

import math

import pytest

from monitors.live.book import fitted_of
from monitors.records import Baseline
from tests.monitors.live.material import LiveScene, fitted
from tests.monitors.material import evidence, info, observe, rows


def baseline(text: bytes | None = None, factor: float = 1.0) -> Baseline:
    version = info(evidence=evidence())
    return Baseline(version.model, version.version, version.digest, text or evidence(), factor)


def test_drift_from_an_accepted_baseline_pages_where_drift_from_a_table_only_warns() -> None:
    scene = LiveScene(page_on="baseline")
    scene.service.accept([baseline()])
    scene.live(20)
    assert scene.pages() == []
    scene.live(20, shift=1.5)
    assert "drift" in scene.pages()
    assert scene.alert("drift").calibration == "baseline"


def test_without_a_baseline_the_same_only_warns() -> None:
    scene = LiveScene(page_on="baseline")
    scene.live(20)
    scene.live(20, shift=1.5)
    assert scene.pages() == []
    assert scene.alert("drift").calibration == "profile"


def test_a_reset_goes_back_to_the_table_of_the_version() -> None:
    scene = LiveScene(page_on="baseline")
    scene.service.accept([baseline()])
    scene.live(20)
    scene.service.accept([])
    scene.live(30, shift=1.5)
    assert scene.pages() == []
    assert scene.alert("drift").calibration == "profile"


def test_the_factor_raises_the_level_at_which_a_version_pages() -> None:
    plain, raised = LiveScene(), LiveScene()
    raised.service.accept([baseline(factor=20.0)])
    levels = []
    for scene in (plain, raised):
        scene.live(10)
        [stream] = scene.service.report("phishing")["streams"]
        levels.append(stream["evidence"]["causes"][0]["page_nats"])
    assert levels[1] - levels[0] == pytest.approx(math.log(20.0))


def test_a_baseline_that_cannot_be_used_leaves_the_table_and_says_why() -> None:
    version = info(evidence=evidence())
    found = fitted_of(version, baseline(b"{}"))
    assert found.calibration == "profile"
    assert found.model is not None
    assert found.why.startswith("the accepted baseline is not used: evidence.json")


def test_a_version_without_a_table_is_watched_once_a_baseline_is_accepted() -> None:
    scene = LiveScene(page_on="baseline")
    scene.service.take_info(info(evidence=b""))
    scene.live(5)
    scene.service.accept([baseline()])
    scene.live(20)
    scene.live(20, shift=1.5)
    assert "drift" in scene.pages()


def test_a_baseline_accepted_while_a_model_is_read_is_the_one_that_counts() -> None:
    scene = LiveScene(page_on="baseline")
    scene.service.take(observe(rows(scene.rng, 100), scene.clock.now_s))
    [reading] = scene.service.unread()
    scene.service.accept([baseline()])
    scene.service.take(observe(rows(scene.rng, 100), scene.clock.now_s))
    scene.service.learn(reading, fitted())
    [again] = scene.service.unread()
    assert again.baseline == baseline()
    scene.service.learn(again, again.read())
    scene.live(20)
    assert [version["calibration"] for version in scene.service.report("phishing")["versions"]] == ["baseline"]
