"""The report of a release check as a document: what was checked, against what, and how each gate came out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from gateway.codec.documents import decode_document, encode_document

__all__ = [
    "MOST_REPORT_BYTES",
    "Against",
    "GateResult",
    "Holdout",
    "Outcome",
    "ReleaseReport",
    "Tier",
    "decode_report",
    "encode_report",
    "outcome_of",
]

Outcome = Literal["pass", "fail", "skipped"]
Tier = Literal["minimal", "limited", "high"]

MOST_REPORT_BYTES: Final = 1024 * 1024
MOST_GATES: Final = 64
LONGEST_DETAIL: Final = 1_000
LONGEST_NAME: Final = 300
_GATE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """How one gate came out; ``detail`` says why in words, ``numbers`` hold what was measured."""

    name: str
    outcome: Outcome
    detail: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _GATE.fullmatch(self.name):
            raise ValueError("a gate's name of lower-case letters, digits and '-', at most 32")
        if len(self.detail) > LONGEST_DETAIL:
            raise ValueError(f"a detail of at most {LONGEST_DETAIL} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The labelled rows that the version was checked on: the file's name, ``sha256:`` of its bytes, its rows.

    ``rows`` is 0 where the version did not load, so that nobody read them.
    """

    name: str
    digest: str
    rows: int

    def __post_init__(self) -> None:
        if len(self.name) > LONGEST_NAME or not _DIGEST.fullmatch(self.digest) or self.rows < 0:
            raise ValueError("a name of at most 300 characters, a digest sha256:..., no less than 0 rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The version that the candidate was compared with."""

    version: str
    digest: str

    def __post_init__(self) -> None:
        if len(self.version) > LONGEST_NAME or not _DIGEST.fullmatch(self.digest):
            raise ValueError("a version, and a digest sha256:...")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReport:
    """What ``weir release check`` found.

    Parameters
    ----------
    digest
        ``sha256:`` digest of the candidate's bundle: the report is about these bytes and no others.
    tier
        Risk tier whose thresholds were held against it.
    against
        The version that served when it was checked; ``None`` where nothing was compared.
    policy_digest
        Digest of the policy whose thresholds these are, in hexadecimal.
    checked_at
        RFC 3339, with its distance from UTC.
    machine
        Where latency and memory were measured, and the versions of what computed the numbers.
    seed
        Of everything that is drawn: the same report on the same inputs, but for times.

    Raises
    ------
    ValueError
        An outcome that does not follow from the gates, a gate twice, and whatever has no bound.
    """

    schema_version: Literal[1] = 1
    model: str
    version: str
    digest: str
    tier: Tier
    against: Against | None = None
    policy_digest: str
    holdout: Holdout
    checked_at: str
    outcome: Literal["pass", "fail"]
    gates: tuple[GateResult, ...]
    machine: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest) or not _HEX.fullmatch(self.policy_digest):
            raise ValueError("a digest sha256:..., and a policy_digest of 64 hexadecimal digits")
        if max(len(self.model), len(self.version)) > LONGEST_NAME:
            raise ValueError(f"names of at most {LONGEST_NAME} characters")
        names = Counter(gate.name for gate in self.gates)
        if not 1 <= len(self.gates) <= MOST_GATES or max(names.values()) > 1:
            raise ValueError(f"1 to {MOST_GATES} gates, each once")
        if self.outcome != outcome_of(self.gates):
            raise ValueError("the outcome fail where a gate fails, else pass")
        if datetime.fromisoformat(self.checked_at).tzinfo is None:
            raise ValueError("checked_at with its distance from UTC")


def outcome_of(gates: tuple[GateResult, ...]) -> Literal["pass", "fail"]:
    """Return what the gates come to together."""
    return "fail" if any(gate.outcome == "fail" for gate in gates) else "pass"


def encode_report(report: ReleaseReport) -> bytes:
    """Write a report as canonical JSON (RFC 8785): its SHA-256 names it."""
    return encode_document(report)


def decode_report(data: bytes, *, source: str = "report") -> ReleaseReport:
    """Read a report; raise ``DocumentInvalid`` naming every fault."""
    return decode_document(data, ReleaseReport, source=source)
