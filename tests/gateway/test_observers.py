import asyncio
import json
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import pytest

from gateway.admission.gate import Gate
from gateway.admission.limit import ConcurrencyLimit
from gateway.arms import ArmKeeper
from gateway.call import Call
from gateway.errors import InputRejected, ModelNotReady, ModelStopped, WeirError
from gateway.metrics.derived import fault_totals
from gateway.metrics.shared import SharedCounters, read_counters
from gateway.observers import Observers
from gateway.pipeline import FallbackReason, Pipeline
from gateway.routing.document import RouteDocument, ShadowRoute, Stop
from gateway.settings import Settings
from gateway.shadow_feed import ShadowFeed
from gateway.tap import Tap
from monitors.records import FaultTotals
from tests.models import columns_classifier
from tests.serving import TRIPWIRES, HandClock, ListSink, counted, servable_of

GOOD = {"petal_length": 1.4, "petal_width": 0.2, "sepal": "short"}
PLAIN_BODY = {"instances": [GOOD, {**GOOD, "petal_width": "wide"}, {**GOOD, "petal_width": None}]}
MANIFEST = """
interface:
  rules:
    - {name: slim, range: {feature: petal_width, max: 2.0}}
    - {name: longer, action: reject, relation: {left: petal_width, operator: <=, right: petal_length}}
  features:
    - {name: petal_length, dtype: float32, range: {min: 0.0, max: 10.0}, out_of_range: reject}
    - {name: petal_width, dtype: float32}
    - {name: sepal, dtype: string}
"""
ROUTE = RouteDocument("m", 1, stable="1", salt="", shadows=(ShadowRoute("9", 10_000),))
V2_BODY = {
    "inputs": [
        {"name": "petal_length", "shape": [2, 1], "datatype": "FP32", "data": [1.4, 60.0]},
        {"name": "petal_width", "shape": [2, 1], "datatype": "FP32", "data": [0.2, 0.2]},
        {"name": "sepal", "shape": [2, 1], "datatype": "BYTES", "data": ["short", "long"]},
    ]
}


def observers_of(counters: SharedCounters, shadows: ListSink) -> tuple[Observers, ShadowFeed]:
    """Return a worker's real observers, and the one of them that repeats requests on shadows."""
    clock = HandClock()
    tap = Tap(ListSink(), lambda _: b"", counters, clock, worker="w", rows_per_s=100, key_salt=b"")
    feed = ShadowFeed(shadows, lambda _: b"", counters, clock, soon=lambda flush: None)
    return Observers(counters, tap, feed, Gate(ConcurrencyLimit(), now_s=0.0)), feed


def outcome_of(
    folder: Path,
    protocol: Literal["plain", "v2"],
    body: dict[str, Any],
    shadows: ListSink | None = None,
    *,
    route: RouteDocument = ROUTE,
    version: str | None = None,
) -> Call | WeirError:
    """Put one request to a worker's pipeline with its real observers, where version 1 is loaded.

    ``shadows`` gets what version 9 repeats.
    """

    async def ask() -> Call | WeirError:
        counters = SharedCounters.create(folder, "w", role="worker")
        keeper = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES)
        observers, feed = observers_of(counters, shadows or ListSink())
        pipeline = Pipeline(observers)
        servable = servable_of(folder / "m" / "1", columns_classifier(), manifest=MANIFEST)
        pipeline.table = keeper.build({"m": route}, {("m", "1"): servable})
        data = json.dumps(body).encode()
        call = Call("m", version, protocol, data, "r", perf_counter())
        try:
            return await pipeline.predict(call)
        except WeirError as error:
            return error
        finally:
            feed.flush()
            keeper.close()

    return asyncio.run(ask())


def test_rows_of_a_refused_request_count_as_checked(tmp_path: Path) -> None:
    assert isinstance(outcome_of(tmp_path, "plain", PLAIN_BODY), InputRejected)
    assert counted(tmp_path, "weir_rows_total") == 0
    assert counted(tmp_path, "weir_contract_rows_total", model="m", version="1") == 3
    faults = {("petal_length", "missing"): 0, ("petal_width", "missing"): 1, ("sepal", "missing"): 0}
    faults |= {("petal_width", "wrong_type"): 1, ("slim", "rule"): 0, ("longer", "rule"): 0}
    assert fault_totals(read_counters(tmp_path)) == [FaultTotals("m", "1", 3, faults)]


def test_an_answered_request_is_repeated_on_a_shadow_and_a_refused_one_is_not(tmp_path: Path) -> None:
    sinks = {}
    for name, body in {"answered": {"instances": [GOOD]}, "refused": PLAIN_BODY}.items():
        (tmp_path / name).mkdir()
        sinks[name] = ListSink()
        outcome_of(tmp_path / name, "plain", body, sinks[name])
    assert (len(sinks["answered"].frames), len(sinks["refused"].frames)) == (1, 0)


def test_faults_in_tensors_name_their_feature(tmp_path: Path) -> None:
    assert isinstance(outcome_of(tmp_path, "v2", V2_BODY), InputRejected)
    assert counted(tmp_path, "weir_feature_faults_total", feature="petal_length", kind="out_of_range") == 1
    assert counted(tmp_path, "weir_contract_rows_total") == 2


def test_rows_of_an_answer_count_as_checked(tmp_path: Path) -> None:
    assert isinstance(outcome_of(tmp_path, "plain", {"instances": [GOOD, GOOD]}), Call)
    assert counted(tmp_path, "weir_contract_rows_total", model="m", version="1") == 2


@pytest.mark.parametrize("feature", ["petal_length", "petal_width", "sepal"])
def test_a_feature_that_was_never_missing_reads_zero(tmp_path: Path, feature: str) -> None:
    outcome_of(tmp_path, "plain", {"instances": [GOOD]})
    found = {s.labels["feature"]: s.value for s in read_counters(tmp_path) if s.name == "weir_feature_faults_total"}
    assert found[feature] == 0


def test_rows_that_break_a_flagging_rule_are_answered_and_counted(tmp_path: Path) -> None:
    rows = [GOOD, {**GOOD, "petal_length": 3.0, "petal_width": 3.0}]
    assert isinstance(outcome_of(tmp_path, "plain", {"instances": rows}), Call)
    assert counted(tmp_path, "weir_rule_broken_rows_total", model="m", version="1", rule="slim") == 1
    assert counted(tmp_path, "weir_contract_rows_total") == 2


def test_rows_refused_for_a_rule_are_counted_under_its_name(tmp_path: Path) -> None:
    rows = [GOOD, {**GOOD, "petal_width": 1.5}]
    assert isinstance(outcome_of(tmp_path, "plain", {"instances": rows}), InputRejected)
    (totals,) = fault_totals(read_counters(tmp_path))
    assert (totals.rows, totals.faults["longer", "rule"], totals.faults["slim", "rule"]) == (2, 1, 0)


def test_rows_of_the_wrong_shape_are_counted_though_no_feature_is_to_blame(tmp_path: Path) -> None:
    assert isinstance(outcome_of(tmp_path, "plain", {"instances": [[1.4, 0.2], [1.4, 0.2, "short"]]}), InputRejected)
    assert counted(tmp_path, "weir_feature_faults_total", feature="other", kind="shape") == 1


def test_requests_that_no_loaded_version_may_answer_count_as_shed_under_the_stable_version(tmp_path: Path) -> None:
    refused = outcome_of(tmp_path, "plain", {"instances": [GOOD]}, route=replace(ROUTE, stable="2"))
    assert isinstance(refused, ModelNotReady)
    assert counted(tmp_path, "weir_requests_total", version="2", variant="stable", outcome="shed") == 1
    assert counted(tmp_path, "weir_requests_total") == 1


@pytest.mark.parametrize("version", [None, "1", "a name that a client made up"])
def test_requests_for_a_stopped_model_count_as_shed_under_no_name_of_the_clients(
    tmp_path: Path, version: str | None
) -> None:
    stopped = replace(ROUTE, stop=Stop("harm", "now", "ann"))
    refused = outcome_of(tmp_path, "v2", V2_BODY, route=stopped, version=version)
    assert isinstance(refused, ModelStopped)
    assert counted(tmp_path, "weir_requests_total", version="1", variant="stable", outcome="shed") == 1
    assert counted(tmp_path, "weir_requests_total") == 1


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        pytest.param("busy", "3 times in a row it was late or its queue was full (the last time busy)", id="strikes"),
        pytest.param("error", "it fails keys that stable answers (the last with error)", id="evidence"),
    ],
)
def test_a_canary_that_is_taken_out_is_told_with_its_cause_and_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: FallbackReason, why: str
) -> None:
    async def trip() -> None:
        counters = SharedCounters.create(tmp_path, "w", role="worker")
        keeper = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES)
        arm = keeper.arm(servable_of(tmp_path / "m" / "7", columns_classifier(), manifest=MANIFEST), "canary")
        assert [arm.strike(now) for now in (1.0, 2.0, 3.0)] == [False, False, True]
        observers_of(counters, ListSink())[0].tripped(arm, reason)
        keeper.close()

    asyncio.run(trip())
    (record,) = caplog.records
    text = record.getMessage()
    assert record.levelname == "WARNING"
    assert text.startswith("canary 7 of m is taken out on this worker")
    assert why in text
    assert "weir rollback m" in text
    assert counted(tmp_path, "weir_canary_tripped", model="m", version="7") == 1
