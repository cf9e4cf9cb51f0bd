"""The governance policy: what each risk tier demands of a version, in one file that is read strictly and digested."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from gateway.codec.canonical import canonical_json
from gateway.codec.documents import decode_document, encode_document, read_document
from gateway.codec.plain_yaml import YamlRefused, parse_yaml
from gateway.codec.sparse import sparse_form
from gateway.codec.strict import described, exact, pointer_to
from gateway.errors import DocumentInvalid, Fault
from gateway.release.policy import ReleaseRules

__all__ = [
    "TIERS",
    "Policy",
    "Tier",
    "TierRules",
    "Tiers",
    "Unsigned",
    "decode_policy",
    "encode_policy",
    "parse_policy",
    "policy_of",
    "read_policy",
]

Tier = Literal["minimal", "limited", "high"]
Unsigned = Literal["allow", "warn", "refuse"]

TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
"""Risk tiers, the lowest first."""

MOST_POLICY_BYTES = 1 << 20
MOST_APPROVALS = 16
MOST_APPROVAL_DAYS = 3_660
MOST_BREAK_GLASS_HOURS = 168
_UNSIGNED: Final = get_args(Unsigned)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRules:
    """What one tier demands of a version before it takes live traffic.

    ``canary_cap`` is the largest share of live traffic, 0 to 1, to which a rollout goes without a human; ``None`` for
    no limit.
    """

    release_report: Literal["required", "optional"] = "optional"
    approvals: int = 0
    unsigned: Unsigned = "allow"
    canary_cap: float | None = None
    auto_promote: bool = True

    @property
    def is_free(self) -> bool:
        """Whether a version may take live traffic without anything stored for it."""
        return self.release_report == "optional" and self.approvals == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """The rules by tier. What a file leaves out of a tier is as it stands here."""

    minimal: TierRules = TierRules()
    limited: TierRules = TierRules(release_report="required", approvals=1, unsigned="warn")
    high: TierRules = TierRules(
        release_report="required", approvals=2, unsigned="refuse", canary_cap=0.10, auto_promote=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole of a policy file.

    Attributes
    ----------
    undeclared
        Tier of a version whose manifest names none.
    models
        Floor by model: no version of it is of a lower tier, whatever its manifest says.
    approval_days
        How long an approval counts.
    break_glass_hours
        How long a break-glass grant counts.

    Examples
    --------
    >>> policy = Policy(models={"loan": "high"})
    >>> policy.tier_of("loan", None, "limited"), policy.tier_of("fraud", None, None)
    ('high', 'minimal')
    >>> policy.rules("high").approvals
    2
    """

    schema_version: Literal[1] = 1
    undeclared: Tier = "minimal"
    models: dict[str, Tier] = field(default_factory=dict)
    tiers: Tiers = Tiers()
    approval_days: float = 30.0
    break_glass_hours: float = 4.0
    release: ReleaseRules = field(default_factory=ReleaseRules)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal: the same for two files that mean the same."""
        return hashlib.sha256(canonical_json(sparse_form(self))).hexdigest()

    def tier_of(self, model: str, *declared: Tier | None) -> Tier:
        """Return the tier of a version: the highest of the model's floor and what the given manifests declare.

        Parameters
        ----------
        declared
            ``identity.risk_tier`` of the version itself and of the one that is stable now, so that a version cannot
            lower its own tier; ``None`` for a manifest that names none.
        """
        named = [self.models.get(model, TIERS[0]), *(tier or self.undeclared for tier in declared or (None,))]
        return max(named, key=TIERS.index)

    def rules(self, tier: Tier) -> TierRules:
        """Return what a tier demands."""
        rules: TierRules = getattr(self.tiers, tier)
        return rules


def read_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises
    ------
    DocumentInvalid
        The file cannot be read, is larger than 1 MiB, or breaks a rule; every fault is named.
    """
    source = f"the policy {path}"
    try:
        with path.open("rb") as file:
            data = file.read(MOST_POLICY_BYTES + 1)
    except OSError as error:
        raise DocumentInvalid(source, [Fault("", "missing", "a policy file", str(error.strerror))]) from error
    if len(data) > MOST_POLICY_BYTES:
        raise DocumentInvalid(source, [Fault("", "value", f"at most {MOST_POLICY_BYTES} bytes", "more")])
    return parse_policy(data, source=source)


def parse_policy(data: bytes, *, source: str = "the policy") -> Policy:
    """Read a policy from the bytes of its YAML; raise ``DocumentInvalid`` naming every fault."""
    try:
        plain = parse_yaml(data)
    except YamlRefused as refused:
        raise DocumentInvalid(source, [refused.fault]) from refused
    if not isinstance(plain, dict) or "schema_version" not in plain:
        raise DocumentInvalid(source, [Fault("/schema_version", "missing", "1", "nothing")])
    policy = read_document(_with_tiers(plain), Policy, source=source)
    if faults := [*_outside(policy), *_inverted(policy.tiers)]:
        raise DocumentInvalid(source, faults)
    return policy


def encode_policy(policy: Policy) -> bytes:
    """Write a policy as the JSON that :func:`decode_policy` reads: every member, defaults included."""
    return encode_document(policy)


def decode_policy(data: bytes) -> Policy:
    """Read what :func:`encode_policy` wrote."""
    return decode_document(data, Policy, source="the policy")


def policy_of(data: bytes | None) -> Policy | None:
    """Return the policy of a process tree, from what its run directory holds; ``None`` where it has none."""
    return None if data is None else decode_policy(data)


def _with_tiers(plain: dict[Any, Any]) -> dict[Any, Any]:
    """Fill what the file leaves out of a tier with what stands in :class:`Tiers` for that tier."""
    given = plain.get("tiers")
    if not isinstance(given, dict):
        return plain
    filled = {
        name: {**_members(getattr(Tiers(), name)), **rules} if name in TIERS and isinstance(rules, dict) else rules
        for name, rules in given.items()
    }
    return {**plain, "tiers": filled}


def _members(rules: TierRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in TierRules.__slots__}


def _outside(policy: Policy) -> Iterator[Fault]:
    for model in policy.models:
        if not _MODEL.fullmatch(model):
            yield Fault(pointer_to("/models", model), "value", "the name of a model", described(model))
    for name, most in (("approval_days", MOST_APPROVAL_DAYS), ("break_glass_hours", MOST_BREAK_GLASS_HOURS)):
        found = getattr(policy, name)
        if not 0 < found <= most:
            yield Fault(f"/{name}", "out_of_range", f"more than 0, at most {most}", exact(found))
    for tier in TIERS:
        rules = policy.rules(tier)
        if not 0 <= rules.approvals <= MOST_APPROVALS:
            expected = f"an integer from 0 to {MOST_APPROVALS}"
            yield Fault(f"/tiers/{tier}/approvals", "out_of_range", expected, exact(rules.approvals))
        if rules.canary_cap is not None and not 0 < rules.canary_cap <= 1:
            expected = "a share of live traffic, more than 0, at most 1, or null"
            yield Fault(f"/tiers/{tier}/canary_cap", "out_of_range", expected, exact(rules.canary_cap))


def _inverted(tiers: Tiers) -> Iterator[Fault]:
    """Find what a higher tier demands less of than a lower one: versions are held to the highest tier that is named."""
    for lower, upper in (("minimal", "limited"), ("limited", "high")):
        low, high = _strictness(getattr(tiers, lower)), _strictness(getattr(tiers, upper))
        for name in low:
            if high[name] < low[name]:
                expected = f"at least as strict as that of the tier {lower}"
                yield Fault(f"/tiers/{upper}/{name}", "value", expected, "less")


def _strictness(rules: TierRules) -> dict[str, float]:
    return {
        "release_report": rules.release_report == "required",
        "approvals": rules.approvals,
        "unsigned": _UNSIGNED.index(rules.unsigned),
        "canary_cap": -1.0 if rules.canary_cap is None else -rules.canary_cap,
        "auto_promote": not rules.auto_promote,
    }
