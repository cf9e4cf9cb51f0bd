"""The admin API over ASGI, with a real store behind it."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.clock import SystemClock
from gateway.control import Control
from gateway.engine.version import ServableVersion
from gateway.errors import WatchUnavailable, WeirError
from gateway.governance.policy import Policy
from gateway.http.admin import admin_routes
from gateway.http.admin_access import ControlAccess
from gateway.http.auth import BearerToken
from gateway.http.problems import problem_response
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import LoadState, VersionStatus, WorkerFacts
from monitors.evidence.acceptance import refusal_of_text
from tests.models import echo_model
from tests.serving import servable_of

T = TypeVar("T")
ROUTE = {"stable": "1", "canary": {"version": "2", "weight": 33.33}, "reason": "try it"}


class OneModel:
    def models(self) -> dict[str, list[str]]:
        return {"m": ["1", "2", "3"]}

    def card(self, model: str, version: str) -> str:
        return f"{model} {version}"


class WatchOf:
    """A watch that answers with the path it was asked for, or is away."""

    def __init__(self) -> None:
        self.away = False
        self.answer: dict[str, Any] = {}

    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        if self.away:
            raise WatchUnavailable
        status = 404 if "nobody" in path else 200
        return status, {"content-type": "application/json"}, json.dumps(self.answer or {"path": path}).encode()

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self.away:
            raise WatchUnavailable
        return 200, json.dumps({"path": path, "body": json.loads(body)}).encode()


async def at_once(fn: Callable[..., T], /, *args: Any) -> T:
    return fn(*args)


async def tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, WeirError)
    return problem_response(error, request.headers.get("x-request-id", ""), request.url.path)


def with_request_id(app: ASGIApp) -> ASGIApp:
    """Give every request the same id, as the gateway's application gives each its own."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "weir.request_id": "r-7"}, receive, send)

    return wrapped


class Admin:
    """The API in process: a call is a method, a path and what goes with it."""

    def __init__(self, store: SqliteStore, policy: Policy | None = None) -> None:
        self.store = store
        self.watch = WatchOf()
        self.on_pause: dict[int, Callable[[], None]] = {}
        self.pauses = 0
        self.loaded: dict[tuple[str, str], ServableVersion] = {}
        self.control = Control(
            Ledger(store, SystemClock()),
            store,
            SystemClock(),
            repository=OneModel(),
            loaded=lambda *name: self.loaded.get(name),
            refusal_of_text=refusal_of_text,
            policy=policy,
        )
        access = ControlAccess(self.control, at_once, self._pause)
        routes = admin_routes(access, self.watch, BearerToken("t"))
        self._app = with_request_id(Starlette(routes=routes, exception_handlers={WeirError: tell}))

    def __call__(
        self, method: str, path: str, *, json: object = None, token: str | None = "t", **headers: str
    ) -> httpx.Response:
        bearer = {} if token is None else {"authorization": f"Bearer {token}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://weir") as client:
                return await client.request(method, f"/admin/v1{path}", json=json, headers=bearer | named)

        return asyncio.run(ask())

    def announce(self, worker: str = "w-1", **versions: LoadState) -> None:
        told = {name.removeprefix("v"): VersionStatus(state) for name, state in versions.items()}
        self.store.announce(worker, encode_facts(WorkerFacts(worker, 1, 0.0, {"m": told})), ttl_s=60)

    async def _pause(self, seconds: float) -> None:
        self.pauses += 1
        self.on_pause.get(self.pauses, lambda: None)()


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Admin]:
    store = SqliteStore(tmp_path / "state.db")
    admin = Admin(store)
    admin.control.seed_routes({"m": ["1", "2", "3"]}, {"m": "1"})
    admin.announce(v1="ready", v2="ready")
    admin.loaded["m", "1"] = servable_of(tmp_path / "1", echo_model())
    yield admin
    store.close()


def assert_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["type"]) == (status, f"urn:weir:problem:{slug}")
    assert response.headers["content-type"] == "application/problem+json"
    return document


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models"),
        ("GET", "/models/m/route"),
        ("PUT", "/models/m/route"),
        ("POST", "/models/m/rollback"),
        ("POST", "/models/m/stop"),
        ("POST", "/models/m/resume"),
        ("POST", "/models/m/versions/2/load"),
        ("POST", "/models/m/versions/2/unload"),
        ("GET", "/models/m/drift"),
        ("GET", "/alerts"),
        ("GET", "/audit"),
    ],
)
def test_nobody_passes_without_the_token(admin: Admin, method: str, path: str) -> None:
    assert_problem(admin(method, path, token=None), 401, "credentials-missing")
    response = admin(method, path, token="other")
    assert_problem(response, 401, "credentials-invalid")
    assert response.headers["www-authenticate"] == 'Bearer realm="weir"'


def test_a_route_is_read_changed_and_rolled_back(admin: Admin) -> None:
    read = admin("GET", "/models/m/route")
    assert (read.status_code, read.headers["etag"], read.json()["stable"]) == (200, '"1"', "1")
    changed = admin("PUT", "/models/m/route", json=ROUTE, if_match=read.headers["etag"])
    assert (changed.status_code, changed.headers["etag"], changed.json()["revision"]) == (200, '"2"', 2)
    assert changed.json()["canary"] == {"version": "2", "weight": 33.33}
    assert changed.json()["stable_weight"] == 66.67
    stale = admin("POST", "/models/m/rollback", json={"reason": "bad"}, if_match='"1"')
    assert_problem(stale, 412, "revision-stale")
    back = admin("POST", "/models/m/rollback", json={"reason": "bad"}, if_match='"2"')
    assert (back.status_code, back.json()["canary"], back.json()["reason"]) == (200, None, "bad")
    assert_problem(admin("POST", "/models/m/rollback"), 409, "nothing-to-roll-back")


def test_one_call_stops_a_model_and_one_resumes_it(admin: Admin) -> None:
    halted = admin("POST", "/models/m/stop", json={"reason": "harm"})
    assert (halted.status_code, halted.json()["revision"]) == (200, 2)
    assert {"reason": "harm", "by": "admin", "version": None}.items() <= halted.json()["stop"].items()
    other = admin("POST", "/models/m/stop", json={"version": "2"})
    assert other.json()["stop"]["version"] == "2"
    assert_problem(admin("POST", "/models/m/stop", json={"version": "3"}), 409, "version-not-warm")
    assert_problem(admin("POST", "/models/m/stop", json={"version": "9"}), 404, "version-unknown")
    assert_problem(admin("POST", "/models/x/stop"), 404, "model-unknown")
    assert_problem(admin("POST", "/models/m/versions/2/unload"), 409, "version-in-use")
    back = admin("POST", "/models/m/resume", json={"reason": "mended"})
    assert (back.status_code, back.json()["stop"], back.json()["revision"]) == (200, None, 4)
    assert admin("POST", "/models/m/resume").json()["revision"] == 4
    actions = [record.action for record in admin.control.audit(resource="route/m")]
    assert actions == ["route.seed", "route.stop", "route.stop", "route.resume"]


def test_a_model_is_stopped_with_an_answer_that_its_stable_version_could_give(admin: Admin) -> None:
    halted = admin("POST", "/models/m/stop", json={"reason": "harm", "answer": 7.5})
    assert halted.json()["stop"] == halted.json()["stop"] | {"version": "1", "answer": {"y": 7.5}}
    record = admin.control.audit(resource="route/m")[-1]
    assert (record.action, record.reason, record.after["stop"]["answer"]) == ("route.stop", "harm", {"y": 7.5})
    wrong = admin("POST", "/models/m/stop", json={"answer": {"y": ["much"]}})
    problem = assert_problem(wrong, 422, "document-invalid")
    assert problem["errors"][0] | {"pointer": "/answer/y", "found": "'much'"} == problem["errors"][0]
    not_here = admin("POST", "/models/m/stop", json={"answer": 7.5, "version": "2"})
    assert_problem(not_here, 409, "version-not-warm")


def test_a_change_needs_the_present_revision(admin: Admin) -> None:
    assert_problem(admin("PUT", "/models/m/route", json=ROUTE), 428, "precondition-missing")
    assert_problem(admin("PUT", "/models/m/route", json=ROUTE, if_match='"7"'), 412, "revision-stale")
    for odd in ("1", "*", '"x"', '"1", "2"', 'W/"1"'):
        assert_problem(admin("PUT", "/models/m/route", json=ROUTE, if_match=odd), 422, "document-invalid")


def test_a_broken_change_is_told_by_pointer(admin: Admin) -> None:
    body = {"stable": "1", "canary": {"version": "1", "weight": 101}, "reason": "r", "x": 1}
    problem = assert_problem(admin("PUT", "/models/m/route", json=body, if_match='"1"'), 422, "document-invalid")
    assert [error["pointer"] for error in problem["errors"]] == ["/x"]
    del body["x"]
    problem = assert_problem(admin("PUT", "/models/m/route", json=body, if_match='"1"'), 422, "document-invalid")
    assert [error["pointer"] for error in problem["errors"]] == ["/canary/weight", "/canary/version"]
    huge = {"stable": "1", "reason": "x" * 70_000}
    assert_problem(admin("PUT", "/models/m/route", json=huge, if_match='"1"'), 413, "body-too-large")


def test_a_cold_version_and_an_unknown_model_are_told(admin: Admin) -> None:
    problem = assert_problem(
        admin("PUT", "/models/m/route", json={"stable": "3", "reason": "r"}, if_match='"1"'), 409, "version-not-warm"
    )
    assert "w-1: not loaded" in problem["detail"]
    assert_problem(admin("GET", "/models/x/route"), 404, "model-unknown")
    assert_problem(admin("POST", "/models/m/versions/9/load"), 404, "version-unknown")


def test_loading_answers_when_every_worker_is_ready(admin: Admin) -> None:
    admin.on_pause = {3: lambda: admin.announce(v3="ready")}
    response = admin("POST", "/models/m/versions/3/load", json={"reason": "next"})
    assert (response.status_code, response.json()["state"], admin.pauses) == (200, "ready", 3)
    record = admin.control.audit()[-1]
    assert (record.reason, record.request_id) == ("next", "r-7")


def test_loading_that_takes_long_is_accepted(admin: Admin) -> None:
    response = admin("POST", "/models/m/versions/3/load")
    assert (response.status_code, response.json()["state"], admin.pauses) == (202, "loading", 300)


def test_an_old_failure_is_given_time_to_pass_and_a_new_one_is_told(admin: Admin) -> None:
    admin.announce(v3="failed")
    admin.on_pause = {5: lambda: admin.announce(v3="ready")}
    assert admin("POST", "/models/m/versions/3/load").status_code == 200
    admin.announce(v3="refused")
    problem = assert_problem(admin("POST", "/models/m/versions/3/load"), 409, "version-refused")
    assert "w-1: refused" in problem["detail"]


def test_a_free_version_is_unloaded_and_a_routed_one_is_not(admin: Admin) -> None:
    response = admin("POST", "/models/m/versions/3/unload")
    assert response.json() == {"model": "m", "pinned": [], "unloaded": ["3"]}
    assert_problem(admin("POST", "/models/m/versions/1/unload"), 409, "version-in-use")


def test_models_and_audit_are_listed(admin: Admin) -> None:
    (model,) = admin("GET", "/models").json()["models"]
    assert model["versions"][0]["workers"] == {"w-1": {"state": "ready", "why": ""}}
    admin("POST", "/models/m/versions/3/load")
    records = admin("GET", "/audit?after=1&limit=5&resource=residency/m").json()["records"]
    assert [(record["sequence"], record["action"]) for record in records] == [(2, "version.load")]
    assert records[0]["actor"] == {
        "subject": "admin",
        "role": "admin",
        "method": "token",
        "address": "127.0.0.1",
        "token": "configured",
    }
    problem = assert_problem(admin("GET", "/audit?after=x&limit=0"), 422, "document-invalid")
    assert [error["pointer"] for error in problem["errors"]] == ["/after", "/limit"]


def test_drift_and_alerts_come_from_the_watch(admin: Admin) -> None:
    assert admin("GET", "/models/m/drift").json() == {"path": "/admin/v1/models/m/drift"}
    assert admin("GET", "/models/a%3Fb/drift").json() == {"path": "/admin/v1/models/a%3Fb/drift"}
    assert_problem(admin("GET", "/models/nobody/drift"), 404, "model-unknown")
    response = admin("GET", "/alerts")
    assert response.json() == {"path": "/admin/v1/alerts"}
    assert response.headers["content-type"] == "application/json"
    admin.watch.away = True
    problem = assert_problem(admin("GET", "/models/m/drift"), 503, "watch-unavailable")
    assert problem["reason"] == "watch_unavailable"


def test_the_store_away_is_told(admin: Admin) -> None:
    admin.store.close()
    assert_problem(admin("GET", "/models/m/route"), 503, "store-unavailable")


@pytest.mark.parametrize("body", ["[]", '{"reason": 1}', '{"why": "x"}', "{", json.dumps({"reason": "x" * 501})])
def test_a_broken_reason_is_refused(admin: Admin, body: str) -> None:
    content = json.loads(body) if body != "{" else "{"
    assert_problem(admin("POST", "/models/m/rollback", json=content), 422, "document-invalid")


def test_the_history_of_drift_comes_from_the_watch(admin: Admin) -> None:
    path = "/models/m/drift/history"
    assert admin("GET", path).json() == {"path": f"/admin/v1{path}"}
    assert_problem(admin("GET", "/models/nobody/drift/history"), 404, "model-unknown")


def test_a_card_is_text_and_never_markup(admin: Admin) -> None:
    response = admin("GET", "/models/m/versions/2/card")
    assert (response.text, response.headers["content-type"]) == ("m 2", "text/plain; charset=utf-8")


def test_the_newest_records_are_asked_for_by_their_number(admin: Admin) -> None:
    for reason in ("a", "b", "c"):
        admin("POST", "/models/m/stop", json={"reason": reason})
        admin("POST", "/models/m/versions/2/load", json={"reason": reason})
    for query, wanted in (("", ["c", "c"]), ("&resource=route/m", ["b", "c"])):
        records = admin("GET", f"/audit?last=2{query}").json()["records"]
        assert [record["reason"] for record in records] == wanted
    assert_problem(admin("GET", "/audit?last=1001"), 422, "document-invalid")


def test_an_alert_that_is_not_open_cannot_be_acknowledged(admin: Admin) -> None:
    assert_problem(admin("POST", "/alerts/none/acknowledge", json={"reason": "on it"}), 404, "resource-unknown")
