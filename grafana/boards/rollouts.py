"""Rollouts: where each is, what its gates say, how much is still needed, and what was taken back."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, lines
from grafana.queries import BY_VERSION, HOST, MODEL, VERSION, latest

__all__ = ["BOARD"]

_GATE = "by (model, version, gate)"
_OF_GATE = f"{VERSION} {{{{gate}}}}"


def _place() -> Panels:
    return [
        lines(
            "State",
            "The state that each rollout is in. A line ends when it is over, or in another state.",
            "none",
            Query(latest("weir_rollout_state", "by (model, version, state)"), f"{VERSION} {{{{state}}}}"),
        ),
        lines(
            "Step",
            "The canary step that each rollout is in, from one; zero before the first and after the last.",
            "none",
            Query(latest("weir_rollout_step", BY_VERSION), VERSION),
        ),
        lines(
            "Planned share",
            "Share of the keys that the present step gives to the canary.",
            "percentunit",
            Query(latest("weir_rollout_weight_ratio", BY_VERSION), VERSION),
            most=1,
        ),
        lines(
            "Held",
            "How long each rollout has been held: something keeps its stage from being left.",
            "s",
            Query(latest("weir_rollout_held_seconds", BY_VERSION), VERSION),
        ),
    ]


def _evidence() -> Panels:
    return [
        lines(
            "Gates",
            "What each gate says: one is pass, zero inconclusive, and below zero it aborts.",
            "none",
            Query(latest("weir_rollout_gate", _GATE), _OF_GATE),
        ),
        lines(
            "Evidence",
            "Evidence against the candidate, and the level at which it is taken back; of the split, against the split.",
            "none",
            Query(latest("weir_rollout_evidence_nats", _GATE), _OF_GATE),
            Query(latest("weir_rollout_abort_nats", _GATE), f"{_OF_GATE} level"),
        ),
        lines(
            "Samples",
            "Keys of the candidate that each gate has seen in this stage; in the shadow, comparisons.",
            "none",
            Query(latest("weir_rollout_samples", _GATE), _OF_GATE),
        ),
        lines(
            "Samples still needed",
            "How many more would pass a gate if all goes on like this; no line where no number would.",
            "none",
            Query(latest("weir_rollout_samples_needed", _GATE), _OF_GATE),
        ),
        lines(
            "Outcomes reported",
            "What turned out to be right, in the past hour; unknown ones belong to no answer that is waited for.",
            "none",
            Query(
                f"sum by (model, result) (increase(weir_rollout_outcomes_total{{{MODEL}}}[1h]))",
                "{{model}} {{result}}",
            ),
        ),
    ]


def _taken_back() -> Panels:
    return [
        lines(
            "Taken back",
            "Rollouts that went back or failed in the past day, by the gate that decided it.",
            "none",
            Query(f"sum by (model, gate) (increase(weir_rollout_aborts_total{{{MODEL}}}[1d]))", "{{model}} {{gate}}"),
        ),
        lines(
            "Held by an error in the watch",
            "Stages that are held since gathering evidence or steering failed, in the past day; the log has the error.",
            "none",
            Query(f"sum by (model, part) (increase(weir_rollout_failures_total{{{MODEL}}}[1d]))", "{{model}} {{part}}"),
        ),
        lines(
            "Quarantine and automatic rollbacks",
            "Versions in quarantine, and automatic rollbacks of the past day; three of them freeze automation.",
            "none",
            Query(latest("weir_quarantined_versions", "by (model)"), "{{model}} quarantined"),
            Query(latest("weir_automatic_rollbacks", "by (model)"), "{{model}} rollbacks"),
        ),
    ]


def _leading() -> Panels:
    return [
        lines(
            "Rollouts and leaders",
            "Rollouts that are not over, and hosts that lead them: one where there are any.",
            "none",
            Query(latest("weir_rollouts", "", HOST), "rollouts"),
            Query(latest("weir_leader", "", HOST, "sum"), "leaders"),
        ),
        lines(
            "Frozen",
            "Whether rollouts stand still because the state store does not answer.",
            "bool_yes_no",
            Query(latest("weir_rollouts_frozen", "by (instance)", HOST), "{{instance}}"),
        ),
    ]


BOARD = Board(
    "rollouts",
    "Where each rollout is, what its gates say, how much is still needed, and what was taken back.",
    {"Where they are": _place(), "Evidence": _evidence(), "Taken back": _taken_back(), "Leader": _leading()},
)
