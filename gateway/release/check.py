"""All gates, in their order."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version as version_of
from typing import Any, Final, Protocol

from gateway.release.document import GateResult
from gateway.release.examination import Examination
from gateway.release.gates.attribution import judge_attribution
from gateway.release.gates.benchmark import judge_benchmark, judge_metrics
from gateway.release.gates.budget import judge_budget
from gateway.release.gates.calibration import judge_calibration
from gateway.release.gates.contract import judge_contract
from gateway.release.gates.fairness import judge_fairness
from gateway.release.gates.golden import judge_golden
from gateway.release.gates.papers import judge_card, judge_lineage
from gateway.release.gates.robustness import judge_robustness
from gateway.release.gates.sanity import judge_sanity
from gateway.release.gates.slices import judge_slices
from gateway.release.gates.verdict import judged, skipped
from gateway.release.policy import GATES, GateName, GateRules

__all__ = ["Told", "judge_all", "machine", "refused_load"]

Gate = Callable[[Examination], GateResult]
FIRST_RELEASE_FREE: Final = ("contract", "benchmark")
"""Gates that compare: of a first release, nothing can be required of them."""

_GATES: Final[Mapping[GateName, Gate]] = {
    "load": lambda _examination: judged("load", [], "it loads, and answers synthetic rows"),
    "contract": judge_contract,
    "golden": judge_golden,
    "sanity": judge_sanity,
    "budget": judge_budget,
    "metrics": judge_metrics,
    "slices": judge_slices,
    "fairness": judge_fairness,
    "calibration": judge_calibration,
    "robustness": judge_robustness,
    "lineage": judge_lineage,
    "card": judge_card,
}


class Told(Protocol):
    """Is told how far the check has come."""

    def __call__(self, gate: GateName, done: int, total: int) -> None:
        """Say that of a gate's work so much is done."""


def judge_all(examination: Examination, told: Told) -> tuple[GateResult, ...]:
    """Ask every gate; those that the policy requires fail where they were skipped.

    Raises
    ------
    CheckImpossible
        The policy asks for something that this model does not have.
    """
    rules, features = examination.rules, len(examination.candidate.contract.features)
    long: dict[GateName, tuple[int, Callable[..., GateResult]]] = {
        "benchmark": (rules.replicates, judge_benchmark),
        "attribution": (features, judge_attribution),
    }
    results = []
    for name in GATES:
        steps, judge = long.get(name, (1, None))
        told(name, 0, steps)
        if judge is None:
            result = _GATES[name](examination)
        else:
            result = judge(examination, partial(_step, told, name, steps))
        told(name, steps, steps)
        results.append(_required(result, rules, is_first=examination.is_first))
    return tuple(results)


def refused_load(rules: GateRules, why: str) -> tuple[GateResult, ...]:
    """Return the verdicts on a version that does not load: nothing else can be asked of it."""
    rest = [skipped(name, "the version does not load") for name in GATES if name != "load"]
    return (judged("load", [why], ""), *(_required(result, rules, is_first=False) for result in rest))


def machine() -> dict[str, Any]:
    """Return where this runs, and the versions of what computes."""
    packages = ("weir", "onnxruntime", "numpy", "scikit-learn", "fairlearn")
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {package: version_of(package) for package in packages},
    }


def _step(told: Told, gate: GateName, total: int, done: int) -> None:
    told(gate, done, total)


def _required(result: GateResult, rules: GateRules, *, is_first: bool) -> GateResult:
    is_free = is_first and result.name in FIRST_RELEASE_FREE
    if result.outcome != "skipped" or result.name not in rules.require or is_free:
        return result
    return replace(result, outcome="fail", detail=f"the policy requires it, and it was skipped: {result.detail}"[:1000])
