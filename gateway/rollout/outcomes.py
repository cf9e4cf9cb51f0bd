"""Outcomes of a rollout's requests as a client reports them: what turned out to be right."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.codec.documents import decode_document
from monitors.records import TrueOutcome

__all__ = ["MOST_OUTCOMES", "OutcomesBody", "parse_outcomes"]

MOST_OUTCOMES = 500
"""Of one request."""


@dataclass(frozen=True, slots=True)
class OutcomesBody:
    """The body of a report."""

    outcomes: tuple[TrueOutcome, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.outcomes) <= MOST_OUTCOMES:
            raise ValueError(f"1 to {MOST_OUTCOMES:,} outcomes, not {len(self.outcomes):,}")


def parse_outcomes(body: bytes) -> tuple[TrueOutcome, ...]:
    """Read a report; raise ``DocumentInvalid`` with every fault by JSON Pointer.

    >>> parse_outcomes(b'{"outcomes": [{"request_id": "a", "outcome": "spam"}]}')
    (TrueOutcome(request_id='a', outcome='spam'),)
    """
    return decode_document(body, OutcomesBody, source="body").outcomes
