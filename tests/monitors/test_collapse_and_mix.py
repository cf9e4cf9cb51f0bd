"""A collapse is the model's; a change of the mix of traffic is the world's, and never pages as confidence."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from monitors.assessment import Assessment, assess
from monitors.causes import Reading, readings
from monitors.evidence.document import write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.paging import Paging
from monitors.quality import FaultRates
from monitors.records import FeatureSchema, Observation, OutputSchema, StreamInfo, StreamKey
from monitors.reference import build_profile
from monitors.service import MonitorService
from monitors.summary import Layout, summarise
from monitors.thresholds import Thresholds
from tests.monitors.material import HandClock

Floats = npt.NDArray[np.float64]
THRESHOLDS = Thresholds()


class World:
    """Two classes of inputs, a model that knows them, and a reference with as many of each.

    ``separation`` is how far the classes lie apart in each of the features, in standard deviations.
    """

    def __init__(self, features: int, separation: float) -> None:
        schemas = tuple(FeatureSchema(f"x{i}", "number", "float64") for i in range(features))
        output = OutputSchema("classification", ("a", "b"))
        self.features, self.separation = features, separation
        values_nd = self.rows(1, 4_000, 0.5)
        scores_nk = self.scores(values_nd)
        profile = build_profile(schemas, output, values_nd, scores_nk.argmax(axis=1), scores_nk)
        self.layout = Layout.of(StreamInfo("m", "1", "d", schemas, output), profile)

    def rows(self, seed: int, n: int, share: float) -> Floats:
        """Return rows with a share of the second class."""
        rng = np.random.default_rng(seed)
        second_n = rng.uniform(size=n) < share
        return rng.normal(size=(n, self.features)) + (second_n[:, None] - 0.5) * self.separation

    def scores(self, values_nd: Floats) -> Floats:
        """Return the exact chances of the classes."""
        second_n = 1.0 / (1.0 + np.exp(-self.separation * values_nd.sum(axis=1)))
        return np.column_stack([1.0 - second_n, second_n])

    def judged(self, values_nd: Floats, scores_nk: Floats) -> Assessment:
        """Return what a window says."""
        observation = observed(values_nd, scores_nk, 1000.0)
        cells = summarise(self.layout, observation, 2000)[1_000_000].cells
        return assess(self.layout, cells, len(values_nd))


def observed(values_nd: Floats, scores_nk: Floats, at_s: float) -> Observation:
    """Return the observation of rows and their answers."""
    n = len(values_nd)
    return Observation(
        StreamKey("m", "1", "d", "stable"), "w", 1, 1.0, ("",) * n, np.full(n, at_s),
        np.zeros(n, dtype=np.uint64), values_nd, scores_nk.argmax(axis=1).astype(np.int32), scores_nk,
        np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.uint16),
    )  # fmt: skip


def collapse(assessment: Assessment) -> Reading:
    """Return the reading of confidence."""
    return readings(assessment, FaultRates(0), THRESHOLDS)["confidence-collapse"]


def pages(reading: Reading) -> bool:
    """Whether it wakes a person."""
    return reading.excess >= reading.page


WORLDS = {"one strong input": World(1, 3.0), "thirty weak inputs": World(30, 0.5), "a hundred": World(100, 0.3)}


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest) -> World:
    """Give worlds that differ in how far a change of the mix shows in each input."""
    return WORLDS[request.param]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.97, 1.0])
def test_a_benign_change_of_mix_never_pages_as_confidence(world: World, share: float) -> None:
    for seed in range(8):
        values_nd = world.rows(seed, 200, share)
        found = world.judged(values_nd, world.scores(values_nd))
        assert not pages(collapse(found))
        assert found.confidence is not None
        assert set(found.confidence.modes) <= {"class-collapse"}


def test_a_change_of_mix_that_takes_nearly_all_information_is_a_warning(world: World) -> None:
    values_nd = world.rows(3, 1_000, 1.0)
    reading = collapse(world.judged(values_nd, world.scores(values_nd)))
    assert reading.excess >= reading.warn
    assert not pages(reading)


def flat(scores_nk: Floats) -> Floats:
    """Return answers that have become unsure."""
    return 0.5 + 0.2 * (scores_nk - 0.5)


def one_class(scores_nk: Floats) -> Floats:
    """Return answers that have moved to one class by a constant in the logit."""
    second_n = 1.0 / (1.0 + np.exp(-(np.log(scores_nk[:, 1] / scores_nk[:, 0]) + 9.0)))
    return np.column_stack([1.0 - second_n, second_n])


def constant(scores_nk: Floats) -> Floats:
    """Return the same answer for everybody."""
    return np.tile([0.6, 0.4], (len(scores_nk), 1))


@pytest.mark.parametrize(
    ("broken", "mode"),
    [
        pytest.param(flat, "under-confidence", id="A"),
        pytest.param(one_class, "class-collapse", id="B"),
        pytest.param(constant, "constant-output", id="C"),
    ],
)
def test_a_collapse_of_the_model_pages(world: World, broken: Callable[[Floats], Floats], mode: str) -> None:
    values_nd = world.rows(4, 1_000, 0.5)
    found = world.judged(values_nd, broken(world.scores(values_nd)))
    assert pages(collapse(found))
    assert found.confidence is not None
    assert mode in found.confidence.modes


def honest(scores_nk: Floats) -> Floats:
    """Return the answers as they are."""
    return scores_nk


@pytest.mark.parametrize(("broken", "wakes"), [(flat, True), (constant, True), (honest, False)])
def test_what_an_input_shift_explains_is_a_warning_and_what_it_does_not_is_a_page(
    world: World, broken: Callable[[Floats], Floats], wakes: bool
) -> None:
    values_nd = world.rows(5, 1_000, 0.98)
    reading = collapse(world.judged(values_nd, broken(world.scores(values_nd))))
    assert reading.excess >= reading.warn
    assert pages(reading) is wakes


def test_missing_values_explain_nothing(world: World) -> None:
    values_nd = world.rows(5, 1_000, 1.0)
    scores_nk = world.scores(values_nd)
    values_nd[:200, 0] = np.nan
    assert pages(collapse(world.judged(values_nd, scores_nk)))


def test_saturation_is_named_and_warns(world: World) -> None:
    values_nd = world.rows(6, 1_000, 0.5)
    found = world.judged(values_nd, np.round(world.scores(values_nd)))
    reading = collapse(found)
    assert found.confidence is not None
    assert found.confidence.modes == ("saturation",)
    assert reading.largest is not None
    assert reading.largest.statistic == "saturated"
    assert reading.excess >= reading.warn
    assert not pages(reading)


def test_broken_answers_are_named_at_the_first_one(world: World) -> None:
    values_nd = world.rows(7, 100, 0.5)
    scores_nk = world.scores(values_nd)
    scores_nk[3] = np.nan
    found = world.judged(values_nd, scores_nk)
    assert found.confidence is not None
    assert "broken-output" in found.confidence.modes
    reading = readings(found, FaultRates(0), THRESHOLDS)["broken-output"]
    assert pages(reading)


def paged(world: World, share: float, broken: Callable[[Floats], Floats]) -> set[str]:
    """Return the causes that page by evidence when, after 20 unchanged seconds, mix and answers change."""
    values_nd = world.rows(1, 8_000, 0.5)
    scores_nk = world.scores(values_nd)
    answers_n, layout, clock = scores_nk.argmax(axis=1), world.layout, HandClock()
    reference = build_profile(layout.features, layout.output, values_nd, answers_n, scores_nk)
    evidence = EvidenceModel.fit(Rows(values_nd, scores_nk, answers_n), layout.features, layout.output)
    paging = Paging(page_on="profile", burn_in_s=0.0)
    service = MonitorService(Thresholds(tick_s=2.0), clock, paging=paging)
    service.take_info(
        StreamInfo("m", "1", "d", layout.features, layout.output, reference.to_json(), write_model(evidence))
    )
    for second in range(40):
        values_nd = world.rows(second, 50, 0.5 if second < 20 else share)
        scores_nk = world.scores(values_nd) if second < 20 else broken(world.scores(values_nd))
        service.take(observed(values_nd, scores_nk, clock.now_s))
        clock.now_s += 1.0
        service.tick()
    return {alert.cause for alert in service.alerts() if alert.severity == "page"}


def test_by_evidence_too_a_change_of_mix_pages_as_what_it_is_and_a_collapse_as_confidence() -> None:
    world = WORLDS["one strong input"]
    assert paged(world, 1.0, honest) == {"drift", "prediction-drift"}
    assert "confidence-collapse" in paged(world, 0.5, flat)
