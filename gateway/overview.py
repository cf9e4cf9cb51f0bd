"""All models on one page: routes, versions, rollouts, traffic, drift and alerts, for those who watch live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.codec.documents import encode_document
from gateway.control import Control
from gateway.errors import DocumentInvalid, StoreUnavailable
from gateway.rollout.document import rollout_view
from gateway.traffic import TrafficBook, traffic_view
from monitors.ports import Clock, MonitorView
from monitors.records import Alert

__all__ = ["Overview"]

LEAST_AGE_S = 0.5


class Overview:
    """Puts the page together, at most twice a second however many ask. Lives on the loop of the watch.

    While the store is away ``models`` is what it said last, and ``store_is_up`` is false.

    Parameters
    ----------
    control
        Models and rollouts; blocks, so it is asked in a thread.
    view
        What the monitors know.
    show_alert
        Gives an alert with what operators have said of it.
    """

    def __init__(
        self,
        control: Control,
        view: MonitorView,
        traffic: TrafficBook,
        clock: Clock,
        *,
        show_alert: Callable[[Alert], dict[str, Any]],
    ) -> None:
        self._control, self._view, self._traffic, self._clock = control, view, traffic, clock
        self._show_alert = show_alert
        self._stored: list[dict[str, Any]] = []
        self._store_is_up = False
        self._page: bytes = b""
        self._page_s = -LEAST_AGE_S
        self._turn = asyncio.Lock()

    async def __call__(self) -> bytes:
        """Return the page as JSON, which has no line break in it."""
        async with self._turn:
            now_s = self._clock.monotonic_s()
            if now_s - self._page_s >= LEAST_AGE_S:
                await asyncio.to_thread(self._read)
                self._page, self._page_s = encode_document(self._view_all()), now_s
            return self._page

    def _read(self) -> None:
        try:
            rollouts = {each.model: rollout_view(each) for each in self._control.rollouts.all()}
            self._stored = [{**model, "rollout": rollouts.get(model["model"])} for model in self._control.models()]
            self._store_is_up = True
        except (StoreUnavailable, DocumentInvalid):
            self._store_is_up = False

    def _view_all(self) -> dict[str, Any]:
        traffic = self._traffic.now()
        return {
            "at": round(self._clock.unix_s(), 3),
            "store_is_up": self._store_is_up,
            "models": [
                {
                    **model,
                    "traffic": traffic_view(traffic, model["model"]),
                    "drift": self._view.newest(model["model"]),
                }
                for model in self._stored
            ],
            "alerts": [self._show_alert(alert) for alert in self._view.alerts()],
        }
