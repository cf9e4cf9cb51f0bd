"""One release check from the files to the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.catalog.bundle import Bundle
from gateway.commands.problem import ProblemReported
from gateway.commands.release.bars import Bars
from gateway.commands.release.holdout import hash_holdout, read_holdout
from gateway.commands.release.sides import Serving, load_side, read_side
from gateway.engine.session import RunFailed
from gateway.engine.version import ServableVersion
from gateway.errors import VersionRefused
from gateway.governance.policy import Policy
from gateway.release.check import judge_all, machine, refused_load
from gateway.release.document import Against, GateResult, Holdout, ReleaseReport, Tier, outcome_of
from gateway.release.examination import Answers, Examination, Feeds, HoldoutRows, answer_rows
from gateway.release.policy import GateRules

__all__ = ["Asked", "check_release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is checked, on what, by what.

    Parameters
    ----------
    serving
        The version to compare with; one without a version for the first release of a model; ``None`` for no comparison.
    """

    models: Path
    model: str
    version: str
    holdout: Path
    label: str
    groups: Sequence[str]
    policy: Policy
    serving: Serving | None


def check_release(asked: Asked, bars: Bars) -> ReleaseReport:
    """Read, load and ask both versions, then every gate.

    Raises
    ------
    ProblemReported, TableInvalid, CheckImpossible, gateway.errors.WeirError
        Something is missing or broken that no verdict on the candidate can be given without.
    """
    candidate = read_side(asked.models, asked.model, asked.version)
    against = _against(asked)
    tiers = [bundle.manifest.identity.risk_tier for bundle in (candidate, against) if bundle is not None]
    tier: Tier = asked.policy.tier_of(asked.model, *tiers)
    rules = asked.policy.release.of(asked.model, tier)
    try:
        version = load_side(candidate)
    except VersionRefused as refused:
        gates, holdout = refused_load(rules, refused.why), hash_holdout(asked.holdout)
        return _report(asked, candidate, against, tier, rules, holdout, gates)
    if version.contract.layout == "tensors":
        raise ProblemReported(f"{asked.model} version {asked.version} takes tensors; a holdout needs named features")
    serving = None if against is None else load_side(against)
    holdout, rows = _read(asked, rules, version, serving, bars)
    try:
        answers = _ask("the candidate", version, rows.feeds, rows.n, bars)
    except RunFailed as failed:
        gates = refused_load(rules, f"it loads, but fails on the holdout: {failed}")
        return _report(asked, candidate, against, tier, rules, holdout, gates)
    examination = Examination(
        bundle=candidate,
        candidate=version,
        against=serving,
        is_first=asked.serving is not None and asked.serving.version is None,
        rules=rules,
        holdout=rows,
        answers=answers,
        against_answers=_ask_serving(serving, rows, bars),
    )
    return _report(asked, candidate, against, tier, rules, holdout, judge_all(examination, bars.gate))


def _against(asked: Asked) -> Bundle | None:
    if asked.serving is None or asked.serving.version is None:
        return None
    return read_side(asked.models, asked.model, asked.serving.version, asked.serving.digest)


def _read(
    asked: Asked, rules: GateRules, version: ServableVersion, serving: ServableVersion | None, bars: Bars
) -> tuple[Holdout, HoldoutRows]:
    groups = (*rules.groups, *asked.groups)
    read = partial(read_holdout, asked.holdout, version, serving, label=asked.label, groups=groups)
    return bars.work(f"reading {asked.holdout.name}", asked.holdout.stat().st_size, lambda told: read(told=told))


def _ask(who: str, version: ServableVersion, feeds: Feeds, n: int, bars: Bars) -> Answers:
    return bars.work(f"asking {who}", n, partial(answer_rows, version, feeds, n))


def _ask_serving(version: ServableVersion | None, rows: HoldoutRows, bars: Bars) -> Answers | None:
    if version is None or rows.feeds_against is None:
        return None
    try:
        return _ask("the serving version", version, rows.feeds_against, rows.n, bars)
    except RunFailed as failed:
        raise ProblemReported(f"the serving version {version.version} fails on the holdout: {failed}") from failed


def _report(
    asked: Asked,
    candidate: Bundle,
    against: Bundle | None,
    tier: Tier,
    rules: GateRules,
    holdout: Holdout,
    gates: tuple[GateResult, ...],
) -> ReleaseReport:
    return ReleaseReport(
        model=asked.model,
        version=asked.version,
        digest=candidate.digest,
        tier=tier,
        against=None if against is None else Against(version=against.version, digest=against.digest),
        policy_digest=asked.policy.digest,
        holdout=holdout,
        checked_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        outcome=outcome_of(gates),
        gates=gates,
        machine=machine(),
        seed=rules.seed,
    )
