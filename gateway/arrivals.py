"""Calls that came in one pass of the event loop, submitted together at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

from gateway.pipeline import AnyCall, Pipeline

__all__ = ["Arrivals"]


class Arrivals(Generic[AnyCall]):
    """Collects the plain calls of a pass, and submits those for one model together.

    They would wait for each other in any case, since what arrives in one pass is one run; so what is the same for all
    is done once. On the event loop.

    Parameters
    ----------
    pipeline
        Takes them.
    alone
        Submits one call, where there is more to be seen to than ``Pipeline.submit_all`` does. Must not raise.
    """

    def __init__(self, pipeline: Pipeline, alone: Callable[[AnyCall], None]) -> None:
        self._pipeline, self._alone = pipeline, alone
        self._waiting: dict[str | None, list[AnyCall]] = {}

    def of(self, model: str | None) -> list[AnyCall] | None:
        """Return where to put a call for a model, in no haste; ``None`` where its calls are not submitted together.

        It is submitted at the end of this pass; until then it may be cancelled at any time.
        """
        calls = self._waiting.get(model)
        if calls is None and self._pipeline.takes_together(model):
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self.submit)
            calls = self._waiting[model] = []
        return calls

    def submit(self) -> None:
        """Submit what has come; called at the end of a pass, and at once for who says nothing more."""
        arrived, self._waiting = self._waiting, {}
        for calls in arrived.values():
            wanted = [call for call in calls if not call.cancelled]
            try:
                if wanted:
                    self._pipeline.submit_all(wanted, self._alone)
            except Exception as exc:  # a bug: it is not to keep those for other models
                context = {"message": "calls that came together failed", "exception": exc}
                asyncio.get_running_loop().call_exception_handler(context)
