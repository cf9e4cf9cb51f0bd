"""The admin API's part on rollouts, under ``/admin/v1/rollouts``."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from gateway.codec.documents import encode_document
from gateway.errors import WatchUnavailable
from gateway.http.admin_access import ControlAccess, Endpoint, WatchReader
from gateway.http.admin_requests import admin_body, ask_of, read_reason
from gateway.rollout.document import rollout_view
from gateway.rollout.operations import Outcome
from gateway.rollout.outcomes import parse_outcomes
from gateway.rollout.verbs import Verb
from gateway.types import Actor

__all__ = ["VERBS", "RolloutApi"]

VERBS: tuple[Verb, ...] = ("pause", "resume", "abort", "promote")


class RolloutApi:
    """The endpoints. Changes are made against the store; only the evidence is asked of the watch."""

    def __init__(self, access: ControlAccess, watch: WatchReader) -> None:
        self._rollouts, self._call, self._watch = access.control.rollouts, access.call, watch

    def table(self) -> list[tuple[str, str, Endpoint]]:
        """Return method, path and endpoint of each."""
        one = "/rollouts/{model}"
        return [
            ("GET", "/rollouts", self.list_all),
            ("POST", "/rollouts", self.start),
            ("GET", one, self.get),
            *(("POST", f"{one}/{verb}", partial(self.act, verb)) for verb in VERBS),
            ("POST", f"{one}/override", self.override),
            ("POST", f"{one}/outcomes", self.outcomes),
        ]

    async def list_all(self, request: Request, actor: Actor) -> Response:
        """The newest rollout of every model."""
        return _json({"rollouts": [rollout_view(each) for each in await self._call(self._rollouts.all)]})

    async def get(self, request: Request, actor: Actor) -> Response:
        """A model's newest rollout, with what the evidence says now."""
        model = request.path_params["model"]
        rollout = await self._call(self._rollouts.get, model)
        return _json({"rollout": rollout_view(rollout), "evidence": await self._evidence(model)})

    async def start(self, request: Request, actor: Actor) -> Response:
        """Begin a rollout."""
        body = await admin_body(request)
        outcome = await self._call(self._rollouts.start, body, ask_of(request, actor))
        return _outcome(outcome, 201)

    async def act(self, verb: Verb, request: Request, actor: Actor) -> Response:
        """Pause, resume, abort or promote a model's rollout."""
        reason, model = await read_reason(request), request.path_params["model"]
        return _outcome(await self._call(self._rollouts.act, model, verb, reason, ask_of(request, actor)), 200)

    async def override(self, request: Request, actor: Actor) -> Response:
        """Answer for a gate of a model's rollout."""
        body, model = await admin_body(request), request.path_params["model"]
        known = await self._evidence(model)
        return _outcome(await self._call(self._rollouts.override, model, body, known, ask_of(request, actor)), 200)

    async def outcomes(self, request: Request, actor: Actor) -> Response:
        """Take what turned out to be right for requests of a model's rollout."""
        body, model = await admin_body(request), request.path_params["model"]
        await self._call(parse_outcomes, body)
        await self._call(self._rollouts.get, model)
        status, answer = await self._watch.post(f"/admin/v1/rollouts/{quote(model, safe='')}/outcomes", body)
        if status != 200:
            raise WatchUnavailable
        return Response(answer, media_type="application/json")

    async def _evidence(self, model: str) -> Any:
        """Return the watch's findings; ``None`` while it is away."""
        try:
            status, _, body = await self._watch.get(f"/admin/v1/rollouts/{quote(model, safe='')}")
        except WatchUnavailable:
            return None
        return json.loads(body) if status == 200 else None


def _outcome(outcome: Outcome, status: int) -> Response:
    body = {
        "rollout": rollout_view(outcome.rollout),
        "violations": outcome.violations,
        "dry_run": outcome.is_dry_run,
    }
    return _json(body, 200 if outcome.is_dry_run else status)


def _json(value: object, status: int = 200) -> Response:
    return Response(encode_document(value), status, media_type="application/json")
