"""The guard: holds a version to what its tier demands, by what is stored, before a change gives it live traffic.

A change that a clearance allows is written together with the clearance's own writes: they rewrite the approvals and the
release record that it rests on, as they were. So an approval that is withdrawn, or a report that is replaced, between
the look and the write makes the write fail, and everything is looked at anew. An approval that expires is seen by the
clock at the look; the driver of rollouts looks again in every tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from gateway.errors import DocumentInvalid, GovernanceUnmet
from gateway.governance.approvals import PREFIX, ApprovalDocument, approval_key, decode_approvals
from gateway.governance.declared import Declared, declared_key, decode_declared
from gateway.governance.policy import TIERS, Policy, Tier, TierRules
from gateway.governance.standing import Candidate, Missing, Standing, standing
from gateway.release.stored import ReleaseRecord, decode_release, release_key
from gateway.state.store import Document, Write
from monitors.ports import Clock

__all__ = ["FREE", "Clearance", "Guard", "Papers", "evidence_of", "guards_of"]

_PREFIXES = ("declared/", PREFIX, "release/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """What the guard says of one version: ``standing`` is ``None`` where no policy is in force.

    Parameters
    ----------
    rules
        Of its tier.
    report, document
        What is stored under its digest; ``None`` where nothing is.
    guards
        Writes that must go with a change that this allows.
    """

    candidate: Candidate | None = None
    standing: Standing | None = None
    rules: TierRules = field(default_factory=TierRules)
    report: ReleaseRecord | None = None
    document: ApprovalDocument | None = None
    guards: tuple[Write, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether the version may take live traffic."""
        return self.standing is None or self.standing.met

    @property
    def missing(self) -> tuple[str, ...]:
        """What keeps it from live traffic, in words; nothing where it may have some."""
        return () if self.standing is None or self.standing.met else tuple(map(str, self.standing.missing))

    def require(self) -> None:
        """Raise ``GovernanceUnmet`` unless the version may take live traffic."""
        if self.standing is not None and self.candidate is not None and not self.standing.met:
            missing = [(one.what, one.command) for one in self.standing.missing]
            raise GovernanceUnmet(self.candidate.model, self.candidate.version, self.standing.tier, missing)


FREE: Final = Clearance()
"""Of a gateway without a policy: everything may take live traffic."""


class Papers(Protocol):
    """Where stored documents are read, one by one or many at once."""

    def read(self, key: str) -> Document | None:
        """Return the document, or ``None``."""

    def read_prefix(self, prefix: str) -> list[Document]:
        """Return all documents whose key starts with ``prefix``."""


class Guard:
    """Reads what is stored of a version and holds it to the policy. Blocks; safe from any thread when the store is."""

    def __init__(self, store: Papers, clock: Clock, policy: Policy | None = None) -> None:
        self._store, self._clock, self.policy = store, clock, policy

    def look(self, model: str, version: str, *, stable: str | None, starter: str = "") -> Clearance:
        """Say whether a version may take live traffic now.

        Parameters
        ----------
        stable
            The version that is stable now, to whose tier it is held as well.
        starter
            Who asks for it: no approval of the same subject counts.

        Raises
        ------
        DocumentInvalid
            A stored document cannot be read.
        """
        policy = self.policy
        if policy is None:
            return FREE
        declared = self.declared(model, version)
        home = self.declared(model, stable) if stable is not None else None
        tier = policy.tier_of(model, *[one.risk_tier for one in (declared, home) if one is not None])
        if declared is None:
            return _unknown(policy, model, version, tier)
        candidate = Candidate(model, version, declared.digest, declared.risk_tier, declared.author)
        stored = self._store.read(approval_key(model, declared.digest))
        released = self._store.read(release_key(model, declared.digest))
        report = decode_release(released) if released else None
        document = decode_approvals(stored) if stored else None
        found = standing(policy, tier, candidate, report, document, now_s=self._clock.unix_s(), starter=starter)
        compared = _compared(found, report, version, stable, home)
        return Clearance(
            candidate=candidate,
            standing=replace(found, remark=compared),
            rules=policy.rules(tier),
            report=report,
            document=document,
            guards=() if policy.rules(tier).is_free else tuple(_guards(found, stored, released)),
        )

    def view(self, model: str, version: str, *, stable: str | None) -> Clearance:
        """Say what :meth:`look` says, and of a version with a document that cannot be read that it lacks that."""
        try:
            return self.look(model, version, stable=stable)
        except DocumentInvalid as error:
            if self.policy is None:
                raise
            lack = Missing(f"a stored document that can be read: {error}", f"weir audit --resource {error.source}")
            tier = self.policy.tier_of(model)
            found = Standing(met=False, tier=tier, policy_digest=self.policy.digest, missing=(lack,))
            return Clearance(candidate=Candidate(model, version, ""), standing=found, rules=self.policy.rules(tier))

    def missing(self, versions: Iterable[tuple[str, str, str | None]]) -> dict[tuple[str, str], tuple[str, ...]]:
        """Return what keeps versions from live traffic, by model and version, without those that nothing keeps.

        Parameters
        ----------
        versions
            Model, version and the model's stable version, ``None`` for a model without a route.

        Notes
        -----
        Reads each kind of document at once; without a policy nothing.
        """
        if self.policy is None:
            return {}
        known = {one.key: one for prefix in _PREFIXES for one in self._store.read_prefix(prefix)}
        view = Guard(_Read(known), self._clock, self.policy)
        found = {(model, version): view.view(model, version, stable=stable) for model, version, stable in versions}
        return {name: clearance.missing for name, clearance in found.items() if clearance.missing}

    def knows(self, model: str, version: str) -> bool:
        """Return whether a version has ever been loaded under a policy."""
        return self._store.read(declared_key(model, version)) is not None

    def declared(self, model: str, version: str) -> Declared | None:
        """Return what a version declared when it was loaded; ``None`` for one that never was."""
        stored = self._store.read(declared_key(model, version))
        return decode_declared(stored) if stored else None


@dataclass(frozen=True, slots=True)
class _Read:
    """Documents that were read already, by key."""

    known: Mapping[str, Document]

    def read(self, key: str) -> Document | None:
        return self.known.get(key)

    def read_prefix(self, prefix: str) -> list[Document]:
        return [one for key, one in self.known.items() if key.startswith(prefix)]


def guards_of(clearances: Iterable[Clearance]) -> list[Write]:
    """Return the writes that must go with a change that all of these allow."""
    return list({write.key: write for clearance in clearances for write in clearance.guards}.values())


def evidence_of(clearances: Iterable[Clearance]) -> dict[str, Any]:
    """Return what the audit record of a change says of them; nothing where no policy is in force."""
    told = [one.standing.evidence(one.candidate) for one in clearances if one.standing and one.candidate]
    return {"governance": told} if told else {}


def _unknown(policy: Policy, model: str, version: str, tier: Tier) -> Clearance:
    """Return the clearance of a version that no process has loaded since a policy is in force."""
    what = "it has not been loaded yet, so that its digest and its tier are not known"
    missing = () if policy.rules(TIERS[-1]).is_free else (Missing(what, f"weir load {model} {version}"),)
    found = Standing(met=not missing, tier=tier, policy_digest=policy.digest, missing=missing)
    return Clearance(candidate=Candidate(model, version, ""), standing=found, rules=policy.rules(tier))


def _compared(
    found: Standing, report: ReleaseRecord | None, version: str, stable: str | None, home: Declared | None
) -> str:
    """Return that the report that counts compares with another version than the one that is stable now, if it does."""
    if report is None or not found.report_sha256 or home is None or version == stable:
        return ""
    if report.against_digest == home.digest:
        return ""
    told = f"version {report.against} ({report.against_digest})" if report.against_digest else "no version"
    return f"its release report compares it with {told}, and version {stable} ({home.digest}) is stable now"


def _guards(found: Standing, stored: Document | None, released: Document | None) -> Iterable[Write]:
    """Return writes that succeed only if what a standing rests on is as it was read, and leave its content."""
    rests_on = [stored if found.by or found.break_glass else None, released if found.report_sha256 else None]
    return (Write(one.key, one.revision, one.body) for one in rests_on if one is not None)
