"""What one stretch of load showed, as one line of JSON each."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Failure", "Result", "append", "read"]

Kind = Literal["batch", "closed", "open", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured cell of one round.

    Attributes
    ----------
    kind, level
        ONNX Runtime alone and its batch; closed loop and its connections; open loop and its multiple of capacity;
        closed loop after the overload.
    goodput : float
        Answers with 200 (in the open loop: within the deadline) a second.
    foreign : float
        Share of one core that other processes took, over both cores.
    idle : float
        Share of the time in which the generator found nothing to do.
    held : int
        Most requests at a time that waited in the generator because no further connection could be opened.
    statuses : dict
        How often each status came; 0 is no answer.
    """

    model: str
    server: str
    round: int
    kind: Kind
    level: float
    rows: int
    goodput: float
    offered: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_us: float
    memory_mb: float
    foreign: float
    idle: float
    start_s: float
    repeats: int = 0
    held: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        """Number of requests that were offered."""
        return sum(self.statuses.values())


@dataclass(frozen=True, slots=True)
class Failure:
    """A server that could not be measured, and why."""

    model: str
    server: str
    reason: str
    round: int = 0


def append(file: Path, result: Result | Failure) -> None:
    """Append one line."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


def read(file: Path) -> tuple[list[Result], list[Failure]]:
    """Read all lines of a campaign."""
    results, failures = [], []
    for line in file.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if "reason" in found:
            failures.append(Failure(**found))
        elif "kind" in found:
            found["statuses"] = {int(status): count for status, count in found["statuses"].items()}
            results.append(Result(**found))
    return results, failures
