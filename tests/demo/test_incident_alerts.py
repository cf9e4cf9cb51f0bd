"""The demonstration's traffic through the monitors, tick by tick, without a gateway or a clock in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest

from gateway.demo.data import CLASSES, load_phishing, sample_instances
from gateway.demo.graphs import INPUT_NAME
from gateway.demo.incident import GUILTY, Transform, fetcher_down, fetcher_stuck, unchanged
from monitors.paging import Paging
from monitors.records import Alert, FeatureSchema, Observation, OutputSchema, StreamInfo, StreamKey
from monitors.service import MonitorService
from monitors.thresholds import Thresholds

TICK_S = 2.0
REQUESTS_A_TICK = 300
CAUSES = {"data-quality", "drift", "confidence-collapse"}


class HandClock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


class Story:
    """Feeds one version's answers to the monitors, one tick a step."""

    def __init__(self, version: Path, *, has_evidence: bool) -> None:
        self.clock = HandClock()
        paging = Paging(page_on="profile", burn_in_s=2 * TICK_S)
        thresholds = Thresholds(tick_s=TICK_S, minimum_firing_s=3 * TICK_S)
        self.service = MonitorService(thresholds, self.clock, paging=paging)
        self.key = StreamKey("phishing", version.name, "", "stable")
        self.features = load_phishing().features
        schemas = tuple(FeatureSchema(name, "number", "float32") for name in self.features)
        reference = (version / "reference.json").read_bytes()
        output = OutputSchema("classification", CLASSES)
        evidence = (version / "evidence.json").read_bytes() if has_evidence else b""
        self.service.take_info(StreamInfo("phishing", version.name, "", schemas, output, reference, evidence))
        fills = {feature["name"]: feature["fill"] for feature in json.loads(reference)["features"]}
        self.fill_d = np.array([fills[name] for name in self.features])
        self.session = ort.InferenceSession(version / "model.onnx")
        self.requests = sample_instances(load_phishing().instances())

    def play(self, transform: Transform, ticks: int) -> Iterator[dict[str, Alert]]:
        """Yield the open alerts by cause after each tick."""
        for _ in range(ticks):
            requests = islice(self.requests, REQUESTS_A_TICK)
            rows = [transform(row) for request in requests for row in request]
            values_nd = np.array([[row.get(name) for name in self.features] for row in rows], np.float64)
            self.service.take(self._answered(values_nd))
            self.clock.now_s += TICK_S
            self.service.tick(self.clock.now_s + TICK_S / 2)
            yield {alert.cause: alert for alert in self.service.alerts() if alert.state != "resolved"}

    def _answered(self, values_nd: npt.NDArray[np.float64]) -> Observation:
        n = len(values_nd)
        imputed_nd = np.where(np.isnan(values_nd), self.fill_d, values_nd).astype(np.float32)
        scores_nk = np.asarray(self.session.run(None, {INPUT_NAME: imputed_nd})[1], np.float64)
        return Observation(
            key=self.key,
            worker="w",
            route_revision=1,
            sampled_ratio=1.0,
            request_ids=("r",) * n,
            answered_at_n=np.full(n, self.clock.now_s),
            key_hashes_n=np.zeros(n, np.uint64),
            values_nd=values_nd,
            labels_n=scores_nk.argmax(axis=1).astype(np.int32),
            scores_nk=scores_nk,
            durations_n=np.zeros(n, np.float32),
            flags_n=np.zeros(n, np.uint16),
        )


@pytest.mark.parametrize("has_evidence", [pytest.param(True, id="evidence"), pytest.param(False, id="effect")])
@pytest.mark.parametrize("version", ["1", "2"])
def test_the_incident_fires_within_two_ticks_names_the_guilty_and_resolves(
    models: Path, version: str, has_evidence: bool
) -> None:
    story = Story(models / version, has_evidence=has_evidence)
    assert [alerts for alerts in story.play(unchanged, 20) if alerts] == []

    *_, second = story.play(fetcher_down, 2)
    firing = {cause for cause, alert in second.items() if alert.state == "firing"}
    assert firing >= CAUSES
    for cause in CAUSES:
        named = {driver.name for driver in second[cause].drivers}
        assert named & set(story.features) == set(GUILTY), cause
    assert {alert.calibration for alert in second.values()} == ({"profile"} if has_evidence else {"uncalibrated"})

    *_, stuck = story.play(fetcher_stuck, 6)
    assert stuck.keys() >= {"drift", "confidence-collapse"}

    *_, recovered = story.play(unchanged, 10)
    assert recovered == {}
