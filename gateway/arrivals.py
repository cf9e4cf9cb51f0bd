"""Calls that came in one pass of the event loop, submitted together at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic

from gateway.pipeline import AnyCall, Pipeline

__all__ = ["Arrivals"]


class Arrivals(Generic[AnyCall]):
    """Collects the calls of a pass; those for one model are submitted together, each model in a pass of its own.

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
        self._waiting: list[AnyCall] = []

    def add(self, call: AnyCall) -> None:
        """Take a plain call for a named model, in no haste; it may be cancelled at any time."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._submit)
        self._waiting.append(call)

    def _submit(self) -> None:
        arrived, model = self._waiting, self._waiting[0].model
        self._waiting = [call for call in arrived if call.model != model]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._submit)
        wanted = [call for call in arrived if call.model == model and not call.cancelled]
        if wanted:
            self._pipeline.submit_all(wanted, self._alone)
