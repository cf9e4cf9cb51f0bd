"""The pipeline as traced requests see it: their call is noted in their trace on its way."""

from __future__ import annotations

from gateway.call import Call
from gateway.errors import WeirError
from gateway.http.problems import problem_of
from gateway.pipeline import Predictor
from gateway.tracing.request_trace import CURRENT, RequestTrace

__all__ = ["TracedPredictor"]


class TracedPredictor:
    """Stands before the pipeline on traced ways in, so that the pipeline itself knows nothing of traces."""

    def __init__(self, pipeline: Predictor) -> None:
        self._pipeline = pipeline

    async def predict(self, call: Call) -> Call:
        """Await the answer of a call; raise its ``WeirError``."""
        trace = CURRENT.get()
        if trace is None or not trace.is_recording:
            return await self._pipeline.predict(call)
        return await (self._message(trace, call) if trace.is_stream else self._noted(trace, call))

    async def _noted(self, trace: RequestTrace, call: Call) -> Call:
        trace.call = call
        try:
            return await self._pipeline.predict(call)
        except WeirError as error:
            trace.problem = problem_of(error)
            raise

    async def _message(self, trace: RequestTrace, call: Call) -> Call:
        part = trace.message(call)
        try:
            return await self._noted(part, call)
        finally:
            problem = part.problem
            failure = problem.slug if problem is not None and problem.status >= 500 else None
            part.end({"weir.request_id": call.request_id}, failure=failure)
