"""How long a change of the route takes, as the clients see it."""

from __future__ import annotations

import asyncio

from gateway.demo.traffic import Answer

__all__ = ["RevisionWatch"]


class RevisionWatch:
    """Waits for an unbroken run of answers from one revision of the route, or a later one.

    Parameters
    ----------
    revision
        The revision that the change was answered with.
    called_at
        When the change was asked for, on the clock of the answers.
    run_length
        Answers in a row that must carry the revision. They come over many connections, so a worker that still applies
        the old route breaks the run.

    Examples
    --------
    >>> watch = RevisionWatch(revision=5, called_at=10.0, run_length=2)
    >>> for finished_at, revision in [(10.1, 4), (10.2, 5), (10.3, 4), (10.4, 5), (10.5, 5)]:
    ...     watch.see(Answer(10.0, finished_at, "", revision=revision))
    >>> round(watch.elapsed_s, 3)
    0.4
    """

    def __init__(self, *, revision: int, called_at: float, run_length: int) -> None:
        self._revision = revision
        self._called_at = called_at
        self._run_length = run_length
        self._run = 0
        self._run_began_at = called_at
        self._done = asyncio.Event()

    def see(self, answer: Answer) -> None:
        """Take one answer; answers that were asked for before the change do not count."""
        if answer.error or answer.started_at < self._called_at or self._done.is_set():
            return
        if answer.revision < self._revision:
            self._run = 0
            return
        if self._run == 0:
            self._run_began_at = answer.finished_at
        self._run += 1
        if self._run >= self._run_length:
            self._done.set()

    @property
    def elapsed_s(self) -> float:
        """Seconds from the call to the first answer of the unbroken run."""
        return self._run_began_at - self._called_at

    async def wait(self, timeout_s: float) -> float | None:
        """Return ``elapsed_s`` once the run is long enough, ``None`` when it does not come in time."""
        try:
            await asyncio.wait_for(self._done.wait(), timeout_s)
        except TimeoutError:
            return None
        return self.elapsed_s
