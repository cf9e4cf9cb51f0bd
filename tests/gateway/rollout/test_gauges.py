"""Rollouts on the metrics page: where they are, what gates say, and nothing of one that is over."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.rollout.document import TERMINAL
from gateway.rollout.gauges import document_gauges, situation_gauges, standing_gauges
from gateway.rollout.standing import Quarantined, Standing
from monitors.records import Verdict
from tests.gateway.rollout.material import findings, rollout, situation

NAMES = {"model": "fraud", "version": "2"}
CANARY: dict[str, Any] = {"state": "holding", "stage": "canary", "step": 1}


def test_a_rollout_shows_state_step_and_share() -> None:
    assert list(document_gauges([rollout(**CANARY)])) == [
        ("weir_rollouts", {}, 1.0),
        ("weir_rollout_state", {**NAMES, "state": "holding"}, 1.0),
        ("weir_rollout_step", NAMES, 2.0),
        ("weir_rollout_weight_ratio", NAMES, 0.25),
    ]


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_a_rollout_that_is_over_leaves_no_series(state: Any) -> None:
    assert list(document_gauges([rollout(state=state, stage="baking")])) == [("weir_rollouts", {}, 0.0)]


def test_gates_show_evidence_against_its_level_and_what_is_still_needed() -> None:
    one = rollout(**CANARY)
    found = findings(one)
    assert found is not None
    verdicts = (
        Verdict(gate="errors", result="inconclusive", why="", evidence=1.5, level=9.0, samples=12, needed=548),
        Verdict(gate="latency", result="pass", why="", samples=12),
        Verdict(gate="predictions", result="abort", why="", samples=12),
    )
    gauges = list(situation_gauges(situation(one, held_s=61.0, findings=replace(found, verdicts=verdicts))))
    assert gauges[0] == ("weir_rollout_held_seconds", NAMES, 61.0)
    shown = {(name.removeprefix("weir_rollout_"), labels["gate"]): value for name, labels, value in gauges[1:]}
    assert shown == {
        ("gate", "errors"): 0.0,
        ("samples", "errors"): 12.0,
        ("samples_needed", "errors"): 548.0,
        ("evidence_nats", "errors"): 1.5,
        ("abort_nats", "errors"): 9.0,
        ("gate", "latency"): 1.0,
        ("samples", "latency"): 12.0,
        ("samples_needed", "latency"): 0.0,
        ("gate", "predictions"): -1.0,
        ("samples", "predictions"): 12.0,
    }


def test_a_standing_shows_quarantine_and_the_rollbacks_of_the_last_day() -> None:
    standing = Standing({"d": Quarantined("2", 0.0, "errors")}, rollbacks=(100.0, 90_000.0))
    assert list(standing_gauges("fraud", standing, now_s=100_000.0)) == [
        ("weir_quarantined_versions", {"model": "fraud"}, 1.0),
        ("weir_automatic_rollbacks", {"model": "fraud"}, 1.0),
    ]
