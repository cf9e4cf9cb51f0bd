"""What each trial found, one line of JSON a part and round."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

__all__ = [
    "Isolation",
    "Overload",
    "Record",
    "Refusal",
    "Reload",
    "Soak",
    "Start",
    "Workers",
    "keep",
    "kept",
    "of_type",
]


_R = TypeVar("_R", bound="Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One part of a trial in one round; ``foreign`` is the share of a core that other processes took."""

    part: str
    round: int
    foreign: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload(Record):
    """Bursts below and above capacity; ``part`` begins with the model.

    Attributes
    ----------
    calm_*, full_*
        Of the stretch at 0.8 times the capacity, and of the bursts above it.
    capacity, offered, good : list
        Of each burst: answers a second in closed loop before and after it in the mean, since the host's own speed moves
        between them; requests a second that were really offered; answers a second within the deadline.
    problems : dict
        Answers to the bursts that are no 200, by status, type and reason; ``no_answer`` had none.
    unhinted : int
        503 without ``retry-after``.
    before_mb, after_mb : float
        Resident memory of the tree before the first burst and after the last, shared pages divided.
    after, after_refused : list
        For each second of closed loop after a burst: answers to those before it, in the median, and refusals.
    answer_us, refusal_us : float
        CPU of the whole tree for an answer at capacity, and for a refusal at the highest multiple.
    """

    deadline_ms: int
    calm_good: float
    calm_p99_ms: float
    capacity: list[float]
    offered: list[float]
    good: list[float]
    full_p99_ms: float
    problems: dict[str, int]
    no_answer: int
    unhinted: int
    held: int
    slipped_s: float
    before_mb: float
    after_mb: float
    after: list[float]
    after_refused: list[int]
    answer_us: float
    refusal_us: float

    @property
    def multiples(self) -> list[float]:
        """What was offered, to the capacity."""
        return [offered / capacity for offered, capacity in zip(self.offered, self.capacity, strict=True)]

    @property
    def shares(self) -> list[float]:
        """What was answered in time, to the capacity."""
        return [good / capacity for good, capacity in zip(self.good, self.capacity, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Record):
    """What a refusal costs when a client is over its quota; the gateway does nothing else. Turn by turn."""

    refusal_us: list[float]
    answer_us: list[float]
    refused: int
    answered: int

    @property
    def shares(self) -> list[float]:
        """What a refusal costs to an answer."""
        return [refusal / answer for refusal, answer in zip(self.refusal_us, self.answer_us, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation(Record):
    """Stable's latency beside a version in trouble; ``part`` says which trouble.

    ``around_p99_ms`` is without it, before and after. ``canary_*`` speak of the callers whose key belongs to the
    canary, whoever answered them.
    """

    offered: float
    p50_ms: float
    p99_ms: float
    around_p99_ms: list[float]
    canary_p99_ms: float
    canary_answers: int
    errors: int
    problems: dict[str, int]
    slipped_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Record):
    """Seconds from start to the first answer, of several starts."""

    seconds: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload(Record):
    """Versions of a large model replaced under load; ``before_*`` is of the pauses between reloads."""

    model_mb: float
    reloads: int
    reload_s: float
    offered: float
    before_p99_ms: float
    during_p50_ms: float
    during_p99_ms: float
    during_answers: int
    failures: int
    problems: dict[str, int]
    before_mb: float
    peak_mb: float
    after_mb: float
    slipped_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers(Record):
    """Closed loop on one worker on one core, and on two on two, in turns; of each figure one for either.

    ``rates`` has the answers a second of every turn.
    """

    rates: list[list[float]]
    p50_ms: list[float]
    p99_ms: list[float]
    server_cores: list[float]
    generator_cores: list[float]
    failures: int

    @property
    def ratios(self) -> list[float]:
        """What two workers answered to one, turn by turn."""
        one, two = self.rates
        return [more / less for less, more in zip(one, two, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak(Record):
    """Minutes of good and bad clients.

    Attributes
    ----------
    sent : dict
        Requests by kind of client.
    answers : dict
        Answers by kind of client and status.
    undeserved : dict
        Those that the kind of client should not have got, with an example.
    counters : dict
        By kind: the fewest and the most that the gateway may have counted, and what it counted.
    growth : dict
        By figure (anonymous MB, tasks, files, threads of the tree): slope a minute of a line through all samples after
        the first quarter, and the mean.
    stood_still_s : float, optional
        The longest for which the clients themselves stood still; ``None`` of a run that did not look.
    """

    minutes: float
    sent: dict[str, int]
    answers: dict[str, dict[str, int]]
    undeserved: dict[str, str]
    counters: dict[str, list[float]]
    growth: dict[str, list[float]]
    p99_ms: float
    stood_still_s: float | None = None


_TYPES: dict[str, type[Record]] = {
    kind.__name__.lower(): kind for kind in (Overload, Refusal, Isolation, Start, Reload, Workers, Soak)
}


def keep(file: Path, record: Record) -> None:
    """Append one line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"trial": type(record).__name__.lower(), **asdict(record)}) + "\n")


def kept(file: Path) -> list[Record]:
    """Read all lines; none where there is no file."""
    if not file.exists():
        return []
    return [_record(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def _record(found: dict[str, object]) -> Record:
    kind = _TYPES[str(found.pop("trial"))]
    return kind(**found)  # type: ignore[arg-type]  # one line of what ``keep`` wrote


def of_type(records: Iterable[Record], kind: type[_R]) -> list[_R]:
    """Return the records of one trial."""
    return [record for record in records if isinstance(record, kind)]
