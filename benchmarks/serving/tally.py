"""What came of one stretch of load."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.serving.connection import Answer

__all__ = ["Load", "percentiles_ms", "problem_of"]


@dataclass(slots=True)
class Load:
    """The counts and times of one stretch.

    Attributes
    ----------
    seconds : float
        Length of the stretch; in the open loop up to the last arrival.
    offered, good : int
        Requests; answers with 200, in the open loop those within the deadline and the stretch.
    held : int
        Most requests at a time that waited in the generator because no further connection could be opened.
    slipped_s : float
        How far the schedule of the open loop was put back because the generator itself was too slow.
    idle : float
        Share of its time in which the generator found nothing to do.
    statuses : Counter
        Answers by status; 0 counts lost connections and answers that never came in time.
    problems : Counter
        Answers that are no 200, by status, problem type and reason.
    unhinted : int
        Answers with 503 that name no ``retry-after``.
    latencies_s : array
        From when a request was due to its answer, of those with 200.
    samples : list
        Row and newest answer of each connection.
    """

    seconds: float = 0.0
    offered: int = 0
    good: int = 0
    held: int = 0
    slipped_s: float = 0.0
    idle: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    unhinted: int = 0
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    samples: list[tuple[int, Answer]] = field(default_factory=list)


def percentiles_ms(latencies_s: Sequence[float], *points: float) -> list[float]:
    """Return percentiles in milliseconds; NaN where there is nothing.

    Examples
    --------
    >>> [round(value, 2) for value in percentiles_ms([0.001, 0.002, 0.003], 0, 50, 100)]
    [1.0, 2.0, 3.0]
    >>> percentiles_ms([], 99)
    [nan]
    """
    if not latencies_s:
        return [float("nan")] * len(points)
    found: list[float] = (np.percentile(latencies_s, points) * 1000).tolist()
    return found


def problem_of(status: int, body: bytes) -> str:
    """Return the status with the problem type and the reason that the body names.

    Examples
    --------
    >>> problem_of(503, b'{"type":"urn:weir:problem:overloaded","reason":"queue"}')
    '503 overloaded (queue)'
    >>> problem_of(500, b"oops")
    '500'
    """
    kind = _after(body, b"urn:weir:problem:")
    reason = _after(body, b'"reason":"') or _after(body, b'"reason": "')
    return " ".join(filter(None, (str(status), kind, f"({reason})" if reason else "")))


def _after(body: bytes, mark: bytes) -> str:
    at = body.find(mark)
    if at < 0:
        return ""
    return body[at + len(mark) :].partition(b'"')[0].decode(errors="replace")
