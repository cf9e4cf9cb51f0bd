"""Segments in the console: that only some of the rows moved is seen at a glance, and an alert leads there."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from gateway.cli import main
from tests.end_to_end.browser import Browser
from tests.end_to_end.running import RunningGateway
from tests.models import columns_classifier, write_bundle

LONG = "x" * 70
ODD = f'ne"w\\\n<b>\u202e{LONG}'
WRITTEN = f'ne"w\\\\u{{a}}<b>\\u{{202e}}{LONG}'
SHARES = {"long": 0.5, "medium": 0.29, ODD: 0.2, "rare": 0.01}
MANIFEST = f"""
schema_version: 1
interface:
  features:
    - {{name: petal_length}}
    - {{name: petal_width}}
    - {{name: sepal, dtype: string, categories: [long, medium, "ne\\"w\\\\\\n<b>\\u202e{LONG}", rare]}}
"""
MODEL = "#/models/iris"
MOVED = f"petal_length where sepal is {ODD}"
ENVIRON = {
    "WEIR_MONITOR__TICK_S": "0.5",
    "WEIR_MONITOR__BURN_IN_S": "0",
    "WEIR_MONITOR__PAGE_ON": "profile",
    "WEIR_MONITOR__ROWS_PER_S": "100000",
    "WEIR_MONITOR__MINIMUM_ROWS": "1000",
    "WEIR_MONITOR__SILENCE_S": "3600",
}


def flowers(n: int, seed: int, longer: float = 0.0) -> list[dict[str, Any]]:
    """Return rows; the petals of one value of ``sepal`` alone are longer."""
    rng = np.random.default_rng(seed)
    sepal_n = rng.choice(list(SHARES), n, p=list(SHARES.values()))
    length_n = rng.normal(4.0, 1.0, n) + longer * (sepal_n == ODD)
    width_n = rng.normal(1.3, 0.5, n)
    named = zip(length_n.tolist(), width_n.tolist(), sepal_n.tolist(), strict=True)
    return [{"petal_length": length, "petal_width": width, "sepal": sepal} for length, width, sepal in named]


def send(gateway: RunningGateway, rows: list[dict[str, Any]]) -> None:
    with gateway.client() as client:
        client.post("/predict/iris", json={"instances": rows}).raise_for_status()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("segments")
    write_bundle(folder / "models" / "iris" / "1", columns_classifier(), **{"model.yaml": MANIFEST})
    table = folder / "training.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ("petal_length", "petal_width", "sepal"))
        writer.writeheader()
        writer.writerows(flowers(8_000, seed=1))
    with pytest.raises(SystemExit) as end:
        main(("profile", str(folder / "models"), "iris", "1", "--table", str(table), "--segment", "sepal"))
    assert end.value.code in (0, None)
    with RunningGateway(folder / "models", folder / "weir.db", workers=1, environ=ENVIRON) as running:
        running.wait_for_workers("iris", "1")
        seeds = iter(range(2, 1_000))
        send(running, flowers(2_000, next(seeds)))

        def is_paged() -> bool:
            send(running, flowers(400, next(seeds), longer=2.0))
            alerts = running.read("/admin/v1/alerts").json()["alerts"]
            return any(driver["name"] == MOVED for alert in alerts for driver in alert["drivers"])

        running.wait_until(is_paged, "an alert about what moved for one value alone", 30.0)
        for _ in range(4):
            send(running, flowers(1_000, next(seeds), longer=2.0))
        yield running


def rows(console: Browser) -> list[WebElement]:
    return console.all("#segments .segment-row")


def chosen(console: Browser) -> list[str]:
    """Return what is spoken of the segments that are open."""
    return [each.get_attribute("aria-label") or "" for each in console.all("#segments [aria-expanded=true]")]


def link(console: Browser) -> WebElement | None:
    """Return what leads from an alert to the feature that moved."""
    told = f"petal_length where sepal is {WRITTEN}"
    return next((each for each in console.all(".alert a.driver") if each.text == told), None)


def test_that_one_segment_alone_has_moved_is_seen_at_a_glance(console: Browser) -> None:
    console.open(MODEL)
    console.wait(lambda: f"Only {WRITTEN} has moved." in console.text("#segments .summary"), "what has moved")
    assert [each.text for each in console.all("#segments .summary b")] == [WRITTEN], "a name apart from its sentence"
    assert console.text("#segments-title") == "Drift by segment: sepal"
    first, *others = rows(console)
    assert len(others) == 4
    spoken = first.get_attribute("aria-label") or ""
    assert spoken.startswith(f"{WRITTEN}, level ")
    assert "petal_length median " in spoken
    assert "in an alert" in spoken
    small = [each.get_attribute("aria-label") or "" for each in others if each.text.startswith(("rare", "other"))]
    assert len(small) == 2
    assert all("few rows" in each or "no rows" in each for each in small)


def test_a_segment_shows_its_features_by_keyboard_alone(console: Browser) -> None:
    console.open(MODEL)
    console.wait(lambda: rows(console), "the segments")[0].send_keys(Keys.ENTER)
    assert len(chosen(console)) == 1
    heads = [each.text for each in console.all("#segment-detail tbody th")]
    assert heads[0] == "petal_length"
    assert set(heads) == {"petal_length", "petal_width"}
    assert "median " in console.all("#segment-detail tbody tr")[0].text
    focused = "return document.activeElement === document.querySelector('.segment-row')"
    console.wait(lambda: console.run(focused), "the focus where it was")
    console.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert chosen(console) == []
    assert console.find("#segment-detail table") is None


@pytest.mark.parametrize("place", ["#/", MODEL])
def test_an_alert_that_names_a_segment_leads_there(console: Browser, place: str) -> None:
    console.open(place)
    for _ in range(2):
        console.wait(lambda: link(console), "the alert").click()
        console.wait(lambda: chosen(console) and console.find("#segment-detail .chosen"), "its segment")
        assert chosen(console)[0].startswith(WRITTEN)
        assert console.text("#segment-detail .chosen th") == "petal_length"
        assert console.run("return document.activeElement.className") == "segment-row"
        assert console.run("return document.querySelector('#segments').getBoundingClientRect().top < innerHeight / 2")
        console.driver.switch_to.active_element.send_keys(Keys.ENTER)
        assert chosen(console) == []


def test_a_segment_that_is_none_is_said_to_be_none(console: Browser) -> None:
    console.open(f"{MODEL}/segment/stable/1/petal_length%20where%20sepal%20is%20new")
    console.wait(lambda: "the watch knows no such segment any more" in console.text("#status"), "that it is none")
    assert rows(console)
    assert chosen(console) == []


def test_promtool_has_nothing_to_say_against_odd_segments(gateway: RunningGateway) -> None:
    body = gateway.read("/metrics").text
    checked = subprocess.run(["promtool", "check", "metrics"], input=body.encode(), capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    shares = [line for line in body.splitlines() if line.startswith("weir_segment_share{")]
    assert len(shares) == 5
    assert any(f'segment="ne\\"w\\\\\\n<b>\u202e{LONG}"' in line for line in shares)


def test_segments_are_no_wider_than_a_phone(console: Browser) -> None:
    console.resize(360, 740)
    console.open(MODEL)
    console.wait(lambda: rows(console), "the segments")[0].click()
    console.wait(lambda: console.find("#segment-detail table"), "its features")
    assert console.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    inside = "const b = arguments[0].getBoundingClientRect(); return b.left >= 0 && b.right <= 360"
    assert all(console.run(inside, each) for each in console.all("#segments *") if each.is_displayed())
