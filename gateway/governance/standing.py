"""How a version stands: whether it has what its tier demands before it takes live traffic, and what it lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.governance.approvals import Approval, ApprovalDocument
from gateway.governance.policy import TIERS, Policy, Tier, TierRules

__all__ = ["Candidate", "Missing", "Report", "Standing", "barred_from_approving", "standing"]


class Report(Protocol):
    """The release record of a digest, as far as approvals look at it."""

    @property
    def policy_digest(self) -> str:
        """Digest of the policy that it was checked by, in hexadecimal."""

    @property
    def tier(self) -> Tier:
        """Tier whose thresholds it was held to."""

    @property
    def outcome(self) -> str:
        """``pass`` or ``fail``."""

    @property
    def report_sha256(self) -> str:
        """SHA-256 of the report's bytes."""

    @property
    def submitted_by(self) -> str:
        """Subject that handed it over."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version by what it is: the digest of its bundle, and what its manifest says of tier and author."""

    model: str
    version: str
    digest: str
    risk_tier: Tier | None = None
    author: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing, in words, and the command that gets it."""

    what: str
    command: str

    def __str__(self) -> str:
        return f"{self.what} ({self.command})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a version has of what its tier demands.

    Parameters
    ----------
    met
        Whether it may take live traffic.
    missing
        What its tier demands and it does not have. There may be some although it is ``met``, by break-glass.
    by
        Subjects whose approvals count.
    report_sha256
        Of the release report that counts; empty without one.
    break_glass
        Subject whose grant stands in for what is missing; empty where nothing is missing or nobody does.
    remark
        What whoever decides should know of the report that counts; it keeps nothing from live traffic.
    """

    met: bool
    tier: Tier
    policy_digest: str
    missing: tuple[Missing, ...] = ()
    by: tuple[str, ...] = ()
    report_sha256: str = ""
    break_glass: str = ""
    remark: str = ""

    def evidence(self, candidate: Candidate) -> dict[str, Any]:
        """Return what the audit record of a guarded write says of it."""
        return {
            "version": candidate.version,
            "digest": candidate.digest,
            "tier": self.tier,
            "policy_digest": self.policy_digest,
            "approved_by": list(self.by),
            "release_report_sha256": self.report_sha256,
            "break_glass": self.break_glass,
            "missing": [one.what for one in self.missing],
            **({"remark": self.remark} if self.remark else {}),
        }


def standing(
    policy: Policy,
    tier: Tier,
    candidate: Candidate,
    report: Report | None,
    document: ApprovalDocument | None,
    *,
    now_s: float,
    starter: str = "",
) -> Standing:
    """Hold a version to the rules of its tier.

    A report counts if it passed, under this policy, at this tier or a higher one. Where the tier demands a report,
    an approval counts only if it was given on the report that counts now: whoever approved has seen another one.

    Parameters
    ----------
    report, document
        What is stored under the candidate's digest.
    starter
        Who starts the rollout or sets the route: no approval of the same subject counts.

    Examples
    --------
    >>> candidate = Candidate("loan", "2", "sha256:ab")
    >>> standing(Policy(), "minimal", candidate, None, None, now_s=0.0).met
    True
    >>> [str(one) for one in standing(Policy(), "high", candidate, None, None, now_s=0.0).missing][:1]
    ['a release report that passed at tier high under the policy: there is none (weir release check loan 2)']
    """
    rules, fault = policy.rules(tier), _report_fault(policy, tier, report)
    is_required = rules.release_report == "required"
    on = report.report_sha256 if report is not None and not fault else ""
    barred = barred_from_approving(candidate, report, starter)
    counted = [
        one
        for one in (document.approvals if document else ())
        if not _discounted(one, barred, on if is_required else None, now_s)
    ]
    lacks_report = _of_report(tier, candidate, fault, is_required)
    missing = (*lacks_report, *_of_approvals(rules, candidate, document, counted, barred))
    grant = document.grant_in_force(now_s) if document and missing else None
    return Standing(
        met=not missing or grant is not None,
        tier=tier,
        policy_digest=policy.digest,
        missing=missing,
        by=tuple(one.subject for one in counted),
        report_sha256=on,
        break_glass=grant.subject if grant else "",
    )


def barred_from_approving(candidate: Candidate, report: Report | None, starter: str = "") -> Mapping[str, str]:
    """Return whose approval never counts, each with the reason; in lower case, as subjects are compared."""
    barred = {
        starter: "started it",
        report.submitted_by if report else "": "submitted its release report",
        candidate.author: "is its author",
    }
    return {subject.strip().casefold(): why for subject, why in barred.items() if subject.strip()}


def _discounted(approval: Approval, barred: Mapping[str, str], on: str | None, now_s: float) -> bool:
    is_over = now_s >= approval.expires_at
    return is_over or approval.subject.casefold() in barred or (on is not None and approval.release_report_sha256 != on)


def _report_fault(policy: Policy, tier: Tier, report: Report | None) -> str:
    """Return why a report does not count; empty where it does."""
    if report is None:
        return "there is none"
    if report.outcome != "pass":
        return "the one submitted did not pass"
    if report.policy_digest != policy.digest:
        return "the one submitted was made under another policy"
    if TIERS.index(report.tier) < TIERS.index(tier):
        return f"the one submitted was made at tier {report.tier}"
    return ""


def _of_report(tier: Tier, candidate: Candidate, fault: str, is_required: bool) -> Iterator[Missing]:
    if is_required and fault:
        what = f"a release report that passed at tier {tier} under the policy: {fault}"
        yield Missing(what, f"weir release check {candidate.model} {candidate.version}")


def _of_approvals(
    rules: TierRules,
    candidate: Candidate,
    document: ApprovalDocument | None,
    counted: list[Approval],
    barred: Mapping[str, str],
) -> Iterator[Missing]:
    lacking = rules.approvals - len(counted)
    if lacking <= 0:
        return
    has = f"it has {len(counted)} of {rules.approvals}"
    who = f", by {', '.join(one.subject for one in counted)}" if counted else ""
    left = [one for one in (document.approvals if document else ()) if one not in counted]
    aside = "; ".join(f"that of {one.subject} does not count: {_why(one, barred)}" for one in left)
    what = f"{lacking} more approval{'s' if lacking > 1 else ''}: {has}{who}{'; ' if aside else ''}{aside}"
    yield Missing(what, f"weir approval give {candidate.model} {candidate.version}")


def _why(approval: Approval, barred: Mapping[str, str]) -> str:
    return barred.get(approval.subject.casefold()) or "it has expired, or was given on another release report"
