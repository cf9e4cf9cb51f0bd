"""The list of metrics keeps to the conventions and is documented."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.metrics.catalogue import CATALOGUE, METRICS, Metric
from gateway.metrics.reference import reference

each_metric = pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)


def test_no_name_is_listed_twice() -> None:
    assert len(METRICS) == len(CATALOGUE)


@each_metric
def test_a_name_tells_prefix_and_kind(metric: Metric) -> None:
    assert re.fullmatch(r"weir(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.name.endswith("_info") == (metric.kind == "info")
    assert metric.help
    assert not metric.help.endswith(".")


@each_metric
def test_buckets_ascend_and_only_histograms_have_them(metric: Metric) -> None:
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert all(low < high for low, high in pairwise(metric.buckets))


@each_metric
def test_closed_sets_belong_to_labels_of_the_metric(metric: Metric) -> None:
    assert metric.values.keys() <= set(metric.labels)


def test_the_reference_is_up_to_date(repo_root: Path) -> None:
    assert (repo_root / "docs/metrics.md").read_text() == reference(), "run scripts/generate"
