"""The overview: everything on one page, and what is left of it while the store is away."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.alert_notes import AlertNotes
from gateway.clock import SystemClock
from gateway.control import Control
from gateway.errors import StoreUnavailable
from gateway.overview import Overview
from gateway.state.acknowledgements import Acknowledgement
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.traffic import TrafficBook
from monitors.records import Alert, Page
from tests.serving import HandClock

ALERT = Alert("a", "m", "1", "stable", "drift", "firing", "page", 0.3, 0.2, 1.0, 2.0, "moved")
PAGE = Page("a", "m", "1", "stable", "drift", "profile", 2.0, "moved", is_false=True)


class Folder:
    """A folder of models whose look-up can fail as a store does."""

    is_away = False

    def models(self) -> dict[str, list[str]]:
        if self.is_away:
            raise StoreUnavailable("locked")
        return {"m": ["1"]}

    def card(self, model: str, version: str) -> str:
        return ""


class View:
    """Monitors with one alert."""

    def knows(self, model: str) -> bool:
        return True

    def report(self, model: str) -> dict[str, Any]:
        return {}

    def history(self, model: str) -> dict[str, Any]:
        return {}

    def newest(self, model: str) -> list[dict[str, Any]]:
        return [{"version": "1", "variant": "stable", "level": 0.5}]

    def alerts(self) -> Sequence[Alert]:
        return [ALERT]


def test_all_is_on_one_page_and_the_last_routes_stay_while_the_store_is_away(tmp_path: Path) -> None:
    store, clock, folder, notes = SqliteStore(tmp_path / "state.db"), HandClock(), Folder(), AlertNotes()
    control = Control(Ledger(store, SystemClock()), store, SystemClock(), repository=folder)
    control.seed_routes({"m": ["1"]}, {})
    notes.take([Acknowledgement("a", 3.0, "ann", "on it")], [PAGE])
    overview = Overview(control, View(), TrafficBook(clock), clock, show_alert=notes.view)

    async def read() -> list[dict[str, Any]]:
        pages = [await overview(), await overview()]
        folder.is_away = True
        clock.now_s += 1.0
        return [json.loads(page) for page in (*pages, await overview())]

    first, soon, away = asyncio.run(read())
    store.close()
    assert first == soon
    (model,) = first["models"]
    assert (model["model"], model["route"]["stable"], model["rollout"], model["traffic"]) == ("m", "1", None, [])
    assert model["drift"] == [{"version": "1", "variant": "stable", "level": 0.5}]
    (alert,) = first["alerts"]
    assert (alert["acknowledged"], alert["is_false"]) == ({"at": 3.0, "by": "ann", "reason": "on it"}, True)
    assert (first["store_is_up"], away["store_is_up"]) == (True, False)
    assert away["models"] == first["models"]
