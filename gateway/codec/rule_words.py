"""Data-quality rules in words: what a rule expects of a row, and what was found in its place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from gateway.codec.rule_checks import PER_SECOND
from gateway.codec.strict import described
from gateway.rules import Range, Rule

__all__ = ["expectation", "finding"]

_LONGEST = 8


def expectation(rule: Rule) -> str:
    """Return what must hold.

    >>> from gateway.rules import Relation
    >>> expectation(Rule(name="adds-up", relation=Relation(left=("net", "tax"), operator="==", right="gross")))
    'net + tax == gross'
    """
    if rule.relation:
        left, right = (" + ".join(side) for side in rule.relation.terms)
        within = f" within {rule.relation.tolerance:g}" if rule.relation.tolerance else ""
        return f"{left} {rule.relation.operator} {right}{within}"
    if rule.freshness:
        ahead_s = rule.freshness.max_ahead_s
        ahead = "" if ahead_s is None else f" and at most {_duration(ahead_s)} ahead"
        return f"a time at most {_duration(rule.freshness.max_age_s)} old{ahead}"
    if rule.missing:
        return f"at most {rule.missing.at_most} missing of {', '.join(rule.missing.features)}"
    if rule.range:
        return _between(rule.range)
    assert rule.categories is not None
    known = rule.categories.one_of
    return f"one of {', '.join(map(repr, known[:_LONGEST]))}{', ...' if len(known) > _LONGEST else ''}"


def finding(rule: Rule, values: Sequence[Any], now_s: float) -> str:
    """Return what a row has that breaks the rule.

    Parameters
    ----------
    values
        Those of ``rule.features``; ``None`` where one is missing.
    now_s
        Unix time of the judgement.
    """
    if rule.relation:
        return ", ".join(f"{name} {described(value)}" for name, value in zip(rule.features, values, strict=True))
    if rule.freshness:
        age_s = now_s - float(values[0]) / PER_SECOND[rule.freshness.unit]
        return f"{described(values[0])}, {_duration(abs(age_s))} {'old' if age_s > 0 else 'ahead'}"
    if rule.missing:
        lacking = [name for name, value in zip(rule.features, values, strict=True) if value is None]
        return f"{len(lacking)} missing: {', '.join(lacking)}"
    return described(values[0])


def _between(limits: Range) -> str:
    if limits.min is None:
        return f"at most {limits.max}"
    return f"at least {limits.min}" if limits.max is None else f"{limits.min} to {limits.max}"


def _duration(seconds: float) -> str:
    """Return seconds as a person reads them.

    >>> _duration(90.0), _duration(200_000.4), _duration(0.25)
    ('0:01:30', '2 days, 7:33:20', '0.25 s')
    """
    if seconds < 60 or seconds > 1e12:
        return f"{seconds:.3g} s"
    return str(timedelta(seconds=round(seconds)))
