"""What the counters say of each version of a model, in the words of the Open Inference Protocol's statistics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.metrics.totals import Series

__all__ = ["VersionStatistics", "version_statistics"]

_NS = 1e9


@dataclass(slots=True)
class Duration:
    """How often something happened, and how long it took in all."""

    count: int = 0
    ns: int = 0


@dataclass(slots=True)
class VersionStatistics:
    """Requests, rows and session runs of one version since this gateway was started; three different counts.

    ``success`` times requests from their first byte to their answer, ``compute_infer`` times session runs. How long
    refused requests took is not measured.
    """

    requests_failed: int = 0
    rows: int = 0
    runs: int = 0
    success: Duration = field(default_factory=Duration)
    compute_infer: Duration = field(default_factory=Duration)

    def document(self, model: str, version: str) -> dict[str, Any]:
        """Return the protocol's document; what is not measured has a count of 0."""
        unmeasured = {"count": 0, "ns": 0}
        return {
            "name": model,
            "version": version,
            "last_inference": 0,
            "inference_count": self.rows,
            "execution_count": self.runs,
            "inference_stats": {
                "success": {"count": self.success.count, "ns": self.success.ns},
                "fail": {"count": self.requests_failed, "ns": 0},
                "queue": unmeasured,
                "compute_input": unmeasured,
                "compute_infer": {"count": self.compute_infer.count, "ns": self.compute_infer.ns},
                "compute_output": unmeasured,
            },
            "batch_stats": [],
        }


def version_statistics(series: Iterable[Series], model: str) -> dict[str, VersionStatistics]:
    """Return the statistics of every version of a model that has counted anything; its work as a shadow is left out,
    and so are answers that a stop made constant.

    >>> labels = {"model": "m", "version": "1", "variant": "stable"}
    >>> of_all_versions = Series("weir_phase_duration_seconds", {"model": "m", "variant": "stable"}, "histogram", 2)
    >>> found = version_statistics([Series("weir_rows_total", labels, "counter", 3), of_all_versions], "m")
    >>> found["1"].rows
    3
    """
    found: dict[str, VersionStatistics] = {}
    for one in series:
        names = one.labels
        if "version" not in names or names.get("model") != model:
            continue
        if names.get("variant", "shadow") not in ("shadow", "constant"):
            _add(found.setdefault(names["version"], VersionStatistics()), one)
    return found


def _add(to: VersionStatistics, series: Series) -> None:
    count = int(series.value)
    if series.name == "weir_requests_total" and series.labels["outcome"] != "ok":
        to.requests_failed += count
    elif series.name == "weir_rows_total":
        to.rows += count
    elif series.name == "weir_runs_total":
        to.runs += count
    elif series.name == "weir_request_duration_seconds":
        _lengthen(to.success, series)
    elif series.name == "weir_inference_duration_seconds":
        _lengthen(to.compute_infer, series)


def _lengthen(duration: Duration, series: Series) -> None:
    duration.count += int(series.value)
    duration.ns += round(series.sum * _NS)
