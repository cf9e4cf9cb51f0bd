"""The plan of a rollout: its steps, how long each lasts at least, what the candidate is held to, what a stall means."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from gateway.codec.documents import decode_yaml_document
from gateway.errors import DocumentInvalid, Fault
from gateway.routing.document import FULL_BP
from monitors.records import Guards

__all__ = ["Plan", "ShadowPlan", "parse_plan"]

_MOST_STEPS = 20
_HIGHEST_STEP = 99
_LONGEST_S = 30 * 86_400.0
_MOST_BYTES = 65_536


def _require_seconds(name: str, found: float) -> None:
    if not 0 <= found <= _LONGEST_S:
        raise ValueError(f"{name} is 0 to {_LONGEST_S:.0f} seconds, not {found}")


def _basis_points(percent: float) -> Decimal:
    return Decimal(repr(percent)) * FULL_BP / 100


def _is_exact(percent: float) -> bool:
    exact = _basis_points(percent)
    return exact == int(exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowPlan:
    """The stage before any client is answered: the share of stable's requests that are repeated, and for how long."""

    sample: float = 100.0
    dwell_s: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.sample <= 100 or not _is_exact(self.sample):
            raise ValueError("sample is a percentage above 0 and at most 100, with at most two decimals")
        _require_seconds("dwell_s", self.dwell_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout goes. The defaults are meant to be safe for a service that nobody has measured yet.

    Parameters
    ----------
    steps
        Shares of the canary in percent, rising.
    shadow
        The shadow stage; ``None`` begins with the first step.
    dwell_s, bake_s
        Least seconds of each step, and of the time with all traffic before the rollout counts as completed.
    validate_s
        Most seconds that the candidate may take to load everywhere.
    hold_s
        Most seconds that a stage may be held.
    on_stall
        What happens then: go back, or stay held for an operator.
    guards
        What the candidate is held to.
    """

    steps: tuple[float, ...] = (5.0, 25.0, 50.0)
    shadow: ShadowPlan | None = field(default_factory=ShadowPlan)
    dwell_s: float = 600.0
    bake_s: float = 1_800.0
    validate_s: float = 600.0
    hold_s: float = 86_400.0
    on_stall: Literal["rollback", "hold"] = "rollback"
    guards: Guards = field(default_factory=Guards)

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= _MOST_STEPS:
            raise ValueError(f"steps has 1 to {_MOST_STEPS} percentages")
        if not all(0 < step <= _HIGHEST_STEP and _is_exact(step) for step in self.steps):
            raise ValueError(f"steps are above 0 and at most {_HIGHEST_STEP}, with at most two decimals")
        if sorted(set(self.steps)) != list(self.steps):
            raise ValueError("each step is higher than the one before")
        for name in ("dwell_s", "bake_s", "validate_s", "hold_s"):
            _require_seconds(name, getattr(self, name))

    def weight_bp(self, step: int) -> int:
        """Return the canary's weight in a step, in basis points.

        >>> Plan().weight_bp(0)
        500
        """
        return int(_basis_points(self.steps[step]))


def parse_plan(data: bytes, *, source: str = "plan") -> Plan:
    """Read a plan in YAML; what it leaves out is as in ``Plan``.

    Raises
    ------
    DocumentInvalid
        With every fault by JSON Pointer, or for its size: above 64 KiB a plan is not looked at.

    Examples
    --------
    >>> parse_plan(b"{steps: [1, 10], on_stall: hold}").steps
    (1.0, 10.0)
    """
    if len(data) > _MOST_BYTES:
        raise DocumentInvalid(source, [Fault("", "value", f"at most {_MOST_BYTES} bytes", f"{len(data)} bytes")])
    return decode_yaml_document(data, Plan, source=source)
