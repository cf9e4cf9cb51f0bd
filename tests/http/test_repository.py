"""The repository extension over ASGI, with a real store behind it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.clock import SystemClock
from gateway.control import Control
from gateway.errors import WeirError
from gateway.http.admin_access import ControlAccess
from gateway.http.auth import BearerToken
from gateway.http.repository import repository_routes
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import LoadState, VersionStatus, WorkerFacts
from tests.http.test_admin import OneModel, at_once, tell, with_request_id


class Shelf:
    """The extension in process: a call is a path and a body."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.on_pause: Callable[[], None] = lambda: None
        self.control = Control(Ledger(store, SystemClock()), store, SystemClock(), repository=OneModel())
        routes = repository_routes(ControlAccess(self.control, at_once, self._pause), BearerToken("t"))
        self._app = with_request_id(Starlette(routes=routes, exception_handlers={WeirError: tell}))

    def __call__(self, path: str, *, json: object = None, token: str | None = "t") -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
                return await client.post(f"/v2/repository{path}", json=json, headers=headers)

        return asyncio.run(ask())

    def announce(self, **versions: LoadState) -> None:
        told = {name.removeprefix("v"): VersionStatus(state, why="secret") for name, state in versions.items()}
        self.store.announce("w-1", encode_facts(WorkerFacts("w-1", 1, 0.0, {"m": told})), ttl_s=60)

    def states(self, **body: bool) -> dict[str, tuple[str, str]]:
        entries = self("/index", json=body or None, token=None).json()
        assert {entry["name"] for entry in entries} <= {"m"}
        return {entry["version"]: (entry["state"], entry["reason"]) for entry in entries}

    async def _pause(self, seconds: float) -> None:
        self.on_pause()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    store = SqliteStore(tmp_path / "state.db")
    shelf = Shelf(store)
    shelf.control.seed_routes({"m": ["1", "2", "3"]}, {"m": "1"})
    shelf.announce(v1="ready", v2="failed")
    yield shelf
    store.close()


def test_everybody_may_see_which_versions_there_are(shelf: Shelf) -> None:
    assert shelf.states() == {
        "1": ("READY", ""),
        "2": ("UNAVAILABLE", "failed"),
        "3": ("UNAVAILABLE", "not loaded"),
    }
    assert shelf.states(ready=True) == {"1": ("READY", "")}
    shelf.announce(v3="loading")
    assert shelf.states()["3"] == ("LOADING", "")


@pytest.mark.parametrize("token", [None, "other"])
@pytest.mark.parametrize("change", ["load", "unload"])
def test_nobody_changes_anything_without_the_token(shelf: Shelf, change: str, token: str | None) -> None:
    assert shelf(f"/models/m/{change}", token=token).status_code == 401
    assert [record.action for record in shelf.control.audit()] == ["route.seed"]


@pytest.mark.parametrize(("body", "version"), [(None, "3"), ({"parameters": {"version": "2"}}, "2")])
def test_loading_waits_for_every_worker_and_is_audited(shelf: Shelf, body: object, version: str) -> None:
    shelf.on_pause = lambda: shelf.announce(v1="ready", v2="ready", v3="ready")
    assert shelf("/models/m/load", json=body).status_code == 200
    record = shelf.control.audit()[-1]
    assert (record.action, record.resource, record.request_id) == ("version.load", "residency/m", "r-7")
    assert record.after == {"pinned": [version], "unloaded": []}


def test_a_version_that_cannot_be_loaded_is_told(shelf: Shelf) -> None:
    assert shelf("/models/m/load", json={"parameters": {"version": "2"}}).status_code == 409
    assert shelf("/models/m/load").status_code == 503
    assert shelf("/models/x/load").status_code == 404
    assert shelf("/models/m/load", json={"parameters": {"version": "9"}}).status_code == 404


def test_unloading_lets_go_what_no_route_names(shelf: Shelf) -> None:
    assert shelf("/models/m/unload", json={"parameters": {"unload_dependents": False}}).status_code == 200
    assert shelf.control.audit()[-1].after == {"pinned": [], "unloaded": ["2", "3"]}
    assert shelf("/models/m/unload", json={"parameters": {"version": "1"}}).status_code == 409
    assert shelf("/models/x/unload").status_code == 404


@pytest.mark.parametrize("change", ["load", "unload"])
@pytest.mark.parametrize("name", ["config", "file:1/model.onnx", "file:"])
def test_nobody_brings_a_model_along(shelf: Shelf, change: str, name: str) -> None:
    response = shelf(f"/models/m/{change}", json={"parameters": {name: "e30="}})
    assert (response.status_code, name in response.json()["detail"]) == (400, True)
    assert len(shelf.control.audit()) == 1


@pytest.mark.parametrize("body", [{"ready": "yes"}, {"unknown": 1}, []])
def test_a_broken_body_is_refused(shelf: Shelf, body: object) -> None:
    assert shelf("/index", json=body).status_code == 422
    assert shelf("/models/m/load", json={"parameters": {"version": 1}}).status_code == 400
