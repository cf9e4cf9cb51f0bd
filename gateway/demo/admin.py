"""The operator's side of the demonstration: the admin API and the metrics page, over HTTP as anybody would use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

__all__ = ["Admin", "AdminRefused", "read_total"]


class AdminRefused(Exception):
    """The gateway did not do what the operator asked; the text is its own, or says why there is none."""


class Admin:
    """What the operator of one model asks of the gateway.

    Parameters
    ----------
    client
        HTTP client with the gateway's base URL and the admin token.
    model
        The model it is all about.

    Raises
    ------
    AdminRefused
        From every method.
    """

    def __init__(self, client: httpx.AsyncClient, model: str) -> None:
        self._client = client
        self._model = f"/admin/v1/models/{model}"

    async def set_route(
        self, *, stable: str, canary: tuple[str, float] | None, shadows: tuple[str, ...], reason: str
    ) -> int:
        """Replace the route, in one compare-and-set against the present one, and return its revision."""
        present = await self._ask("GET", f"{self._model}/route")
        document = {
            "stable": stable,
            "canary": canary and {"version": canary[0], "weight": canary[1]},
            "shadow": [{"version": version, "sample": 100.0} for version in shadows],
            "reason": reason,
        }
        headers = {"if-match": present.headers["etag"]}
        return int((await self._ask("PUT", f"{self._model}/route", document, headers)).json()["revision"])

    async def roll_back(self, reason: str) -> int:
        """Roll back and return the revision of the new route."""
        return int((await self._ask("POST", f"{self._model}/rollback", {"reason": reason})).json()["revision"])

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts as the gateway shows them."""
        alerts: list[dict[str, Any]] = (await self._ask("GET", "/admin/v1/alerts")).json()["alerts"]
        return alerts

    async def drift(self) -> dict[str, Any]:
        """Return what the watch has measured."""
        measured: dict[str, Any] = (await self._ask("GET", f"{self._model}/drift")).json()
        return measured

    async def fallbacks(self) -> int:
        """Return how many canary requests the stable version has answered instead."""
        return int(read_total((await self._ask("GET", "/metrics")).text, "weir_canary_fallback_total"))

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise AdminRefused(f"{method} {path}: {type(error).__name__}") from error
        if answer.is_error:
            raise AdminRefused(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


def read_total(page: str, metric: str) -> float:
    """Return the sum of a metric's samples over all labels; 0 where the page has none.

    Examples
    --------
    >>> read_total('errors_total{reason="a"} 2.0\\nerrors_total{reason="b"} 1.0\\nerrors_totality 5.0', "errors_total")
    3.0
    """
    samples = re.findall(rf"^{metric}(?:{{.*}})? (\S+)", page, re.MULTILINE)
    return sum((float(value) for value in samples), 0.0)
