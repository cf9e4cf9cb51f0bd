"""How a model stands with automation: what is in quarantine, and how often it had to go back lately. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gateway.codec.documents import decode_document, encode_document
from gateway.rollout.document import RolloutDocument
from gateway.state.store import Document

__all__ = [
    "MOST_A_DAY",
    "Quarantined",
    "Standing",
    "cleared",
    "decode_standing",
    "encode_standing",
    "obstacles",
    "recent_rollbacks",
    "standing_key",
    "with_rollback",
]

MOST_A_DAY = 3
_DAY_S = 86_400.0
_FIRST_REST_S = 600.0
_MOST_QUARANTINED = 64


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A version that was taken back: it is not rolled out again until an operator clears it."""

    version: str
    since: float
    cause: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The stored document: quarantined versions by digest, and the times of automatic rollbacks of the last day."""

    quarantined: dict[str, Quarantined] = field(default_factory=dict)
    rollbacks: tuple[float, ...] = ()


def standing_key(model: str) -> str:
    """Return the key under which a model's standing is stored."""
    return f"rollout-standing/{model}"


def encode_standing(standing: Standing) -> bytes:
    """Write a standing as canonical JSON."""
    return encode_document(standing)


def decode_standing(document: Document | None) -> Standing:
    """Read a stored standing; nothing stored is a clean one."""
    return decode_document(document.body, Standing, source=document.key) if document else Standing()


def with_rollback(standing: Standing, rollout: RolloutDocument, now_s: float) -> Standing:
    """Return the standing after a rollout went back; its candidate's digest is in quarantine from now on."""
    quarantined = dict(standing.quarantined)
    if rollout.digest:
        quarantined.pop(rollout.digest, None)
        quarantined[rollout.digest] = Quarantined(rollout.candidate, now_s, rollout.cause)
    while len(quarantined) > _MOST_QUARANTINED:
        del quarantined[next(iter(quarantined))]
    recent = recent_rollbacks(standing, now_s)
    return Standing(quarantined, (*recent, now_s) if rollout.is_automatic else recent)


def cleared(standing: Standing, version: str) -> Standing:
    """Return the standing after an operator took responsibility for a version: no quarantine of it, no cool-down."""
    kept = {digest: entry for digest, entry in standing.quarantined.items() if entry.version != version}
    return replace(standing, quarantined=kept, rollbacks=())


def obstacles(standing: Standing, version: str, digest: str, now_s: float) -> Iterator[str]:
    """Yield what keeps a version from being rolled out.

    After an automatic rollback a model rests for ten minutes, after a second one of the same day for twenty, after a
    third one until the first of them is a day old.

    Examples
    --------
    >>> list(obstacles(Standing(rollbacks=(100.0,)), "2", "", now_s=400.0))
    ['it went back 300 s ago and rests for 600 s']
    """
    for held, entry in standing.quarantined.items():
        if held == digest or (not digest and entry.version == version):
            yield f"version {entry.version} is in quarantine: {entry.cause}"
    recent = recent_rollbacks(standing, now_s)
    if len(recent) >= MOST_A_DAY:
        yield f"{len(recent)} automatic rollbacks within a day: automation is frozen"
    elif recent and now_s - recent[-1] < _rest_s(len(recent)):
        yield f"it went back {now_s - recent[-1]:.0f} s ago and rests for {_rest_s(len(recent)):.0f} s"


def recent_rollbacks(standing: Standing, now_s: float) -> tuple[float, ...]:
    """Return the times of the automatic rollbacks of the last day."""
    return tuple(time for time in standing.rollbacks if now_s - time < _DAY_S)


def _rest_s(rollbacks: int) -> float:
    return _FIRST_REST_S * 2.0 ** (rollbacks - 1)
