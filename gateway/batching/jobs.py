"""What a lane is given and what it gives back: jobs, a version to run them, runs, and why a job was not run."""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt

from gateway.codec.decoded import Decoded
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunHandle

__all__ = [
    "Feeds",
    "Job",
    "LaneExpired",
    "LaneFull",
    "LaneLate",
    "LaneOverdue",
    "Run",
    "RunCutShort",
    "RunTimedOut",
    "Runnable",
    "Sizer",
]

Feeds = dict[str, npt.NDArray[Any]]


class LaneFull(Exception):
    """The queue holds its limit of rows."""


class LaneLate(Exception):
    """By what runs cost, the answer could not be there before the job's deadline."""


class LaneExpired(Exception):
    """The job's deadline passed before it could run."""


class LaneOverdue(Exception):
    """An earlier run is past its time slice and has not come back; nothing is queued behind it."""


class RunTimedOut(Exception):
    """The run was past its time slice and was terminated."""


class RunCutShort(RunTimedOut):
    """The run was terminated before its time slice ended, for a job in haste, or before its thread got a core."""


class Runnable(Protocol):
    """What a lane runs: one version."""

    @property
    def max_batch_rows(self) -> int | None:
        """Rows of one run; ``None`` where requests must run one by one."""

    def run(self, feeds: Feeds, n: int, handle: RunHandle | None = None) -> Outputs:
        """Run ``n`` rows; raise ``RunFailed``."""


class Cost(Protocol):
    """What runs cost."""

    def estimate(self, rows: int) -> float:
        """Return the seconds that a run is expected to take."""


class Sizer(Protocol):
    """How large runs are, learned from them: ``gateway.batching.sizing.BatchSizer``."""

    @property
    def limit(self) -> int:
        """Rows at which a batch is full."""

    @property
    def inline_rows(self) -> int:
        """Rows that may run on the loop; 0 for never."""

    @property
    def cost(self) -> Cost:
        """What runs cost at the moment."""

    def observe(self, rows: int, seconds: float, was_full: bool) -> None:
        """Learn from a run; ``was_full`` says whether a job that waited did not fit into it."""


class Job(Protocol):
    """One request in a lane. A cancelled one is not run, or its rows of a run are dropped."""

    decoded: Decoded
    cancelled: bool
    deadline: float
    has_started: bool

    def settle(self) -> bool:
        """Turn pending rows into graph inputs; false where they were refused, and the job is answered with that."""


class Run:
    """One run: when it started (``perf_counter``), its seconds, its outputs, and the rows of a stacked batch.

    ``shared`` is where a protocol keeps what it has encoded for all requests of the run.
    """

    __slots__ = ("outputs", "seconds", "shared", "started_at", "values_nd")

    def __init__(self, started_at: float, seconds: float, outputs: Outputs, values_nd: npt.NDArray[Any] | None) -> None:
        self.started_at, self.seconds = started_at, seconds
        self.outputs, self.values_nd = outputs, values_nd
        self.shared: Any = None
