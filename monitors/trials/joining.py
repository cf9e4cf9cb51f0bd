"""Joining: what a rollout's versions answered, kept until what was right becomes known.

Kept is the first answer of each key in the rollout, up to a number; then the oldest are forgotten. The outcomes of one
step are compared with each other only: there the hash alone has given the keys to their arms, by one weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitors.records import TrueOutcome
from monitors.trials.keys import KeyFilter

__all__ = ["MOST_WAITING", "Answer", "ArmLosses", "OutcomeJoin"]

MOST_WAITING = 50_000
"""Answers kept of a rollout, some 15 MB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A class by its name, or a value, of one arm in one step."""

    of_candidate: bool
    step: int
    value: str | float


@dataclass(frozen=True, slots=True)
class ArmLosses:
    """Keys of both arms in one step whose outcomes are known, and the sum of their losses: 0 is right, 1 is wrong."""

    candidate: int = 0
    stable: int = 0
    candidate_lost: float = 0.0
    stable_lost: float = 0.0

    def with_key(self, loss: float, *, of_candidate: bool) -> ArmLosses:
        """Return them with one key more."""
        if of_candidate:
            return ArmLosses(self.candidate + 1, self.stable, self.candidate_lost + loss, self.stable_lost)
        return ArmLosses(self.candidate, self.stable + 1, self.candidate_lost, self.stable_lost + loss)


class OutcomeJoin:
    """Answers that wait for their outcome, by request id. Memory is bounded by ``most`` and the key filter.

    Parameters
    ----------
    scale
        Absolute error of a value that counts as wholly wrong; ``None`` uses no outcome of a value.

    Examples
    --------
    >>> join = OutcomeJoin()
    >>> join.expect("a", 7, Answer(True, 0, "spam"))
    >>> dict(join.take([TrueOutcome("a", "ham"), TrueOutcome("b", "ham")]))
    {'joined': 1, 'unknown': 1, 'unusable': 0}
    >>> join.expect("c", 8, Answer(False, 0, "spam"))
    >>> dict(join.take([TrueOutcome("c", "spam")]))["joined"], list(join.cut())
    (1, [ArmLosses(candidate=1, stable=1, candidate_lost=1.0, stable_lost=0.0)])
    """

    def __init__(self, *, scale: float | None = None, most: int = MOST_WAITING) -> None:
        self._scale, self._most = scale, most
        self._keys = KeyFilter()
        self._waiting: dict[str, Answer] = {}
        self._losses: dict[int, ArmLosses] = {}

    def expect(self, request_id: str, key: int, answer: Answer) -> None:
        """Remember an answer, unless its key had one before; a key of 0 is the request's own."""
        if key and not (self._keys.counts(key) and self._keys.appears(key)):
            return
        self._waiting[request_id] = answer
        if len(self._waiting) > self._most:
            del self._waiting[next(iter(self._waiting))]

    def take(self, outcomes: Sequence[TrueOutcome]) -> Counter[str]:
        """Join outcomes with answers; return how many were joined, unknown, and unusable, whose answer waits on."""
        found = Counter(joined=0, unknown=0, unusable=0)
        for one in outcomes:
            answer = self._waiting.get(one.request_id)
            loss = None if answer is None else _loss(answer.value, one.outcome, self._scale)
            if answer is None or loss is None:
                found["unknown" if answer is None else "unusable"] += 1
                continue
            found["joined"] += 1
            del self._waiting[one.request_id]
            losses = self._losses.get(answer.step, ArmLosses())
            self._losses[answer.step] = losses.with_key(loss, of_candidate=answer.of_candidate)
        return found

    def cut(self) -> Iterator[ArmLosses]:
        """Yield what has come since the last cut, step by step; one arm's waits until the other has some to compare."""
        for step, losses in list(self._losses.items()):
            if losses.candidate and losses.stable:
                yield self._losses.pop(step)


def _loss(answered: str | float, outcome: str | float, scale: float | None) -> float | None:
    """Return 0 for right to 1 for wrong; ``None`` where the two cannot be compared."""
    if isinstance(answered, str):
        return float(answered != _name(outcome))
    if isinstance(outcome, str) or scale is None:
        return None
    return min(1.0, abs(answered - outcome) / scale)


def _name(outcome: str | float) -> str:
    """Return a class as its name is written: 1, which JSON has as a number, is the class "1"."""
    if isinstance(outcome, float) and outcome.is_integer():
        return str(int(outcome))
    return str(outcome)
