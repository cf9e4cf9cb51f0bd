"""A gateway in one class, behind the HTTP client's transport: routes, answers, alerts and metrics, all exact."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import httpx

from gateway.demo.incident import GUILTY

WINDOW = 60


class FakeGateway:
    """Answers like the gateway. Alerts look at the last 60 requests; the canary with version 4 always falls back."""

    def __init__(self) -> None:
        self.revision = 1
        self.stable = "1"
        self.canary: str | None = None
        self.is_deaf = False
        self.fallbacks = 0
        self.refused_writes = 0
        self.lag_answers = 0
        self._served = 0
        self._recent: deque[bool] = deque(maxlen=WINDOW)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.startswith("/predict/"):
            return self._predict(request)
        if path == "/metrics":
            return httpx.Response(200, text=f'weir_canary_fallback_total{{reason="error"}} {self.fallbacks}\n')
        if request.headers.get("authorization") != "Bearer token":
            return httpx.Response(401)
        return {"alerts": self._alerts, "drift": self._drift, "route": self._route, "rollback": self._rollback}[
            path.rsplit("/")[-1]
        ](request)

    def _predict(self, request: httpx.Request) -> httpx.Response:
        instances: list[dict[str, Any]] = json.loads(request.content)["instances"]
        self._recent.append(any(row.get(name) is None for row in instances for name in GUILTY))
        self._served += 1
        version, variant = self.stable, "stable"
        if self.canary is not None and self._served % 10 == 0:
            self.fallbacks += self.canary == "4"
            version, variant = (version, variant) if self.canary == "4" else (self.canary, "canary")
        revision = self.revision
        if self.lag_answers:
            self.lag_answers -= 1
            revision -= 1
        headers = {"x-variant": variant, "x-model-version": version, "x-route-revision": str(revision)}
        return httpx.Response(200, json={}, headers=headers)

    def _alerts(self, request: httpx.Request) -> httpx.Response:
        if self.is_deaf or sum(self._recent) <= WINDOW // 2:
            return httpx.Response(200, json={"alerts": []})
        causes = ("data-quality", "drift", "confidence-collapse")
        return httpx.Response(200, json={"alerts": [alert(cause) for cause in causes]})

    def _drift(self, request: httpx.Request) -> httpx.Response:
        stable = {"variant": "stable", "version": "1", "confidence": {"collapse_index": 0.8}, "shadow": None}
        shadow = {"variant": "shadow", "version": "3", "confidence": None, "shadow": {"rows": 9, "agreement": 0.9}}
        return httpx.Response(200, json={"streams": [stable, shadow] if self.canary == "2" else []})

    def _route(self, request: httpx.Request) -> httpx.Response:
        etag = f'"{self.revision}"'
        if request.method == "GET":
            return httpx.Response(200, json={"revision": self.revision}, headers={"etag": etag})
        if request.headers.get("if-match") != etag:
            self.refused_writes += 1
            return httpx.Response(412)
        canary = json.loads(request.content)["canary"]
        self.canary = canary and canary["version"]
        return self._written()

    def _rollback(self, request: httpx.Request) -> httpx.Response:
        self.canary = None
        self.lag_answers = 5
        return self._written()

    def _written(self) -> httpx.Response:
        self.revision += 1
        return httpx.Response(200, json={"revision": self.revision})


def alert(cause: str, *, state: str = "firing", version: str = "1", names: tuple[str, ...] = GUILTY) -> dict[str, Any]:
    """Return an alert as the admin API shows it."""
    return {
        "id": f"{cause}-{version}",
        "cause": cause,
        "variant": "stable",
        "version": version,
        "state": state,
        "severity": "page" if state == "firing" else "warning",
        "drivers": [{"name": name} for name in names],
    }
