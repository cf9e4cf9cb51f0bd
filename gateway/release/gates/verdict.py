"""How a gate says its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.release.document import LONGEST_DETAIL, GateResult
from gateway.release.policy import GateName

__all__ = ["judged", "skipped"]


def judged(name: GateName, faults: Sequence[str], good: str, numbers: dict[str, Any] | None = None) -> GateResult:
    """Return fail with the faults or, where there are none, pass with what was found good.

    >>> judged("card", [], "complete").outcome, judged("card", ["no licence", "no owner"], "complete").detail
    ('pass', 'no licence; no owner')
    """
    detail = "; ".join(faults) if faults else good
    return GateResult(name=name, outcome="fail" if faults else "pass", detail=_cut(detail), numbers=numbers or {})


def skipped(name: GateName, why: str, numbers: dict[str, Any] | None = None) -> GateResult:
    """Return that the gate does not apply, and why."""
    return GateResult(name=name, outcome="skipped", detail=_cut(why), numbers=numbers or {})


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DETAIL else text[: LONGEST_DETAIL - 3] + "..."
