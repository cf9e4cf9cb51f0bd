"""The report as a page: what models and people write cannot become markup, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from gateway.commands.report.gathering import Report, VersionFacts
from gateway.commands.report.incidents import Change, Incident
from gateway.commands.report.page import render_report
from gateway.metrics.page_reading import Traffic

HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>alert(2)</script>"
BEGIN, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)
STREAM = {
    "version": HOSTILE,
    "variant": "stable",
    "rows": 1_000,
    "features": [
        {
            "name": HOSTILE,
            "wasserstein": 0.3,
            "wasserstein_noise": 0.01,
            "missing": 0.5,
            "missing_reference": 0.0,
            "unseen": None,
            "reference_counts": [1, 2, 3],
            "counts": [3, 2, 1],
        }
    ],
    "predictions": [{"class": HOSTILE, "count": 1, "share": 1.0, "reference_share": 0.5}],
    "confidence": {"collapse_index": 0.5},
    "performance": {"estimates": [{"method": "cbpe", "accuracy": 0.9}]},
}
FULL = Report(
    HOSTILE,
    BEGIN,
    END,
    END,
    "http://127.0.0.1:8080",
    {"revision": 3, "stop": {"by": HOSTILE, "reason": HOSTILE}},
    [VersionFacts(HOSTILE, "stable", "sha256:0", ("w: ready",))],
    [Traffic(HOSTILE, "stable", {"ok": 99, "timeout": 1}, 100, 0.002, 0.001, 0.01)],
    {"streams": [STREAM], "budget": {"pages": 2, "false_pages": 1, "allowed": 4.0}},
    [Incident("a", HOSTILE, "stable", "drift", "page", HOSTILE, BEGIN.timestamp())],
    [Change(1, "2026-11-02T00:00:00Z", HOSTILE, "route.set", HOSTILE, HOSTILE)],
    17,
    "f" * 64,
)
EMPTY = replace(FULL, model="m", route=None, versions=[], traffic=[], drift=None, incidents=[], changes=[])


class Tags(HTMLParser):
    """Collects the tags of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return what a browser takes for markup."""
    parser = Tags()
    parser.feed(page)
    return parser.found


def test_hostile_names_stay_text_wherever_they_come_from() -> None:
    page = render_report(FULL)
    found = tags(page)
    assert not {tag for tag, _ in found} & {"script", "img", "iframe", "object", "link", "a"}
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
    assert page.count("&lt;script&gt;") > 8


@pytest.mark.parametrize("report", [FULL, EMPTY], ids=["full", "empty"])
def test_nothing_is_loaded_from_elsewhere(report: Report) -> None:
    page = render_report(report)
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not [name for _, attributes in tags(page) for name in attributes if name in ("src", "href", "srcset")]
    assert not re.search(r"url\(|@import", page)


def test_figures_of_the_period_are_on_the_page() -> None:
    page = render_report(FULL)
    for text in (
        "1.000%",
        "10 ms",
        "1 false pages of 2 in four weeks, 4 allowed",
        "Stopped by",
        "17 records",
        "f" * 64,
    ):
        assert text in page, text
    assert page.count("<svg") == 5


def test_a_model_that_nothing_happened_to_has_a_report() -> None:
    page = render_report(EMPTY)
    assert "Nothing was asked of this model." in page
    assert "The watch has judged no rows of this model yet." in page
    assert page.count("None in this period.") == 2
    assert "<svg" not in page
