"""How far streams have moved over time, from the service that judges them."""

import numpy as np
import pytest

from monitors.assessment import assess
from monitors.history import COARSE, FINE, HistoryBook
from monitors.records import StreamKey
from monitors.summary import Layout, summarise
from monitors.thresholds import Thresholds
from tests.monitors.material import info, observe, profile, rows
from tests.monitors.test_service import TICK_S, Scene


def test_a_heat_map_shows_which_feature_moved_and_when() -> None:
    scene = Scene()
    scene.live(5)
    scene.live(4, broken="missing")
    (stream,) = scene.service.history("phishing")["streams"]
    assert (stream["version"], stream["variant"]) == ("1", "stable")
    fine = stream["fine"]
    assert fine["span_s"] == TICK_S
    assert np.diff(fine["at"]) == pytest.approx(TICK_S)
    levels = {feature["name"]: feature["levels"] for feature in fine["features"]}
    assert list(levels) == ["https", "age", "colour"]
    assert max(levels["https"][:4]) < 0.5 < 1.0 < levels["https"][-1]
    assert max(levels["colour"]) < 0.5
    assert fine["collapse_index"][-1] > fine["collapse_index"][0]
    assert len(fine["rows"]) == len(fine["at"]) == len(levels["age"])


def test_the_newest_window_is_told_in_short() -> None:
    scene = Scene()
    assert scene.service.newest("phishing") == []
    scene.live(4, broken="missing")
    (newest,) = scene.service.newest("phishing")
    assert newest["feature"] in ("https", "age")
    assert newest["level"] > 1.0
    assert newest["collapse_index"] is not None


def test_a_day_is_kept_in_stretches_with_the_worst_of_each_and_no_more() -> None:
    layout = Layout.of(info(), profile())
    (summary,) = summarise(layout, observe(rows(np.random.default_rng(3), 300), 1.0), 2_000).values()
    found = assess(layout, summary.cells, summary.rows)
    book, key = HistoryBook(Thresholds(tick_s=100.0)), StreamKey("m", "1", "", "stable")
    for tick in range(2 * COARSE * 6):
        book.add(key, 100.0 * tick, found, None)
    (stream,) = book.view("m")
    assert len(stream["fine"]["at"]) == FINE
    assert len(stream["coarse"]["at"]) == COARSE
    assert stream["coarse"]["span_s"] == 600.0
    assert stream["coarse"]["rows"] == [300] * COARSE
    book.keep([])
    assert book.view("m") == []


def test_a_model_nobody_has_heard_of_has_no_history() -> None:
    assert Scene().service.history("other") == {"model": "other", "streams": []}
