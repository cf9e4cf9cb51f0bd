"""Every role on every endpoint of the OpenAPI document: who passes, who is refused, and how."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import pytest

from gateway.access.tokens import Token
from gateway.control import Control
from gateway.http.auth import BearerToken
from gateway.http.credentials import Credentials
from gateway.http.gateway_app import GatewayApp
from gateway.http.permissions import PERMISSIONS, needed_role
from gateway.http.probes import Readiness
from gateway.http.request_counts import RequestCounts
from gateway.http.router import build_router
from gateway.http.sessions import Sessions, SignedOut
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.snapshot import Snapshot, read_snapshot
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from tests.http.test_admin import OneModel, at_once
from tests.pipeline.ground import Notes
from tests.serving import HandClock

T = TypeVar("T")
Operation = tuple[str, str, dict[str, Any]]
ADMIN = Actor("admin")
MAY = {
    "viewer": {"viewer"},
    "operator": {"viewer", "operator"},
    "approver": {"viewer", "approver"},
    "admin": {"viewer", "operator", "approver", "admin"},
}
"""Which roles' work each role may do, said here once more."""

OPEN = (
    "/predict", "/v1/", "/v2", "/invocations", "/ping", "/health", "/version", "/livez", "/readyz", "/startupz",
    "/metrics", "/openapi.json", "/console",
)  # fmt: skip
"""What begins so needs no credentials, but for the two that load and unload."""


class Watch:
    async def get(self, path: str, *, accept: str = "") -> tuple[int, Mapping[str, str], bytes]:
        return 200, {"content-type": "application/json"}, b"{}"


class Site:
    """The whole router of a worker over a real store, and a token of each role in it."""

    def __init__(self, folder: Path, store: SqliteStore, counters: SharedCounters) -> None:
        self.clock, self.store = HandClock(), store
        self.control = Control(Ledger(store, self.clock), store, self.clock, repository=OneModel())
        self.texts = {role: self.make(role) for role in MAY}
        self.texts["revoked"], self.texts["expired"] = self.make("admin"), self.make("admin", expires_in_s=10)
        self.control.tokens.revoke(self.texts["revoked"].split("_")[1], ADMIN)
        self.clock.now_s += 10.0
        pipeline = Pipeline(Notes())
        readiness = Readiness(pipeline, is_settled=lambda: True, store_is_up=lambda: True)
        readiness.draining = True  # streams end at once
        self.bearer = BearerToken("t", tokens=self.tokens, clock=self.clock)
        router = build_router(
            pipeline,
            readiness,
            self.control,
            at_once,
            cast(Any, Watch()),
            credentials=Credentials(self.bearer, Sessions("t", SignedOut(folder / "signed-out"), self.clock)),
            counters=folder,
            product_version="1",
        )
        self._app = GatewayApp(None, router, RequestCounts(counters))

    def make(self, role: str, expires_in_s: int | None = None) -> str:
        body = json.dumps({"name": f"some {role}", "role": role, "expires_in_s": expires_in_s})
        return self.control.tokens.create(body.encode(), ADMIN).text

    def tokens(self) -> Mapping[str, Token]:
        return read_snapshot(self.store, 0, Snapshot()).tokens

    def run(self, scenario: Callable[[httpx.AsyncClient], Coroutine[Any, Any, T]]) -> T:
        async def whole() -> T:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://weir") as client:
                return await scenario(client)

        return asyncio.run(whole())

    def operations(self) -> list[Operation]:
        document = self.run(lambda client: client.get("/openapi.json")).json()
        return [
            (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    store = SqliteStore(folder / "state.db")
    counters = SharedCounters.create(folder, "w", role="worker")
    yield Site(folder, store, counters)
    counters.close()
    store.close()


def role_of(operation: Mapping[str, Any]) -> str:
    """Return the role that the document names, the same for every way to sign in."""
    roles = {role for way in operation["security"] for names in way.values() for role in names}
    assert len(roles) == 1
    return str(roles.pop())


def filled(path: str) -> str:
    """Return a path with names of nothing that there is."""
    return path.replace("{model}", "nowhere").replace("{version}", "9").replace("{alert}", "a").replace("{token}", "b")


def test_every_role_may_do_what_the_document_says_and_nothing_else(site: Site) -> None:
    guarded = [each for each in site.operations() if "security" in each[2]]
    assert {f"{method} {path}" for method, path, _ in guarded} == set(PERMISSIONS)

    async def wrong(client: httpx.AsyncClient) -> list[tuple[str, str, str]]:
        found = []
        for method, path, operation in guarded:
            for held in MAY:
                is_allowed = role_of(operation) in MAY[held]
                headers = bearer(site.texts[held])
                if path.endswith("/session") and method != "POST":  # these are about the session itself
                    headers = await signed_in(client, headers)
                answer = await client.request(method, filled(path), headers=headers)
                told = answer.text if answer.status_code in (401, 403) else ""
                is_right = not told if is_allowed else is_refusal(answer, path, role_of(operation), held)
                found += [] if is_right and answer.status_code < 500 else [(f"{method} {path}", held, told)]
        return found

    assert site.run(wrong) == []


def test_without_a_valid_token_nobody_may_do_anything(site: Site) -> None:
    async def statuses(client: httpx.AsyncClient) -> dict[tuple[str, str], int]:
        ways = {
            "none": {},
            "wrong": bearer("weir_0123456789ab_" + "0" * 64),
            "expired": bearer(site.texts["expired"]),
            "revoked": bearer(site.texts["revoked"]),
            "cookie": {"cookie": "weir-session=x"},
        }
        return {
            (operation, way): (await client.request(method, filled(path), headers=headers)).status_code
            for operation in PERMISSIONS
            for method, path in [operation.split(" ")]
            for way, headers in ways.items()
        }

    found = site.run(statuses)
    assert {asked for asked, status in found.items() if status != 401} == set()


def test_what_names_no_role_is_open_to_all_and_changes_nothing(site: Site) -> None:
    unguarded = [(method, path) for method, path, operation in site.operations() if "security" not in operation]
    assert [path for _, path in unguarded if not path.startswith(OPEN)] == []

    async def statuses(client: httpx.AsyncClient) -> list[int]:
        return [(await client.request(method, filled(path))).status_code for method, path in unguarded]

    revision = site.store.revision()
    assert not {401, 403} & set(site.run(statuses))
    assert site.store.revision() == revision


def test_viewers_may_read_and_whatever_changes_something_needs_more(site: Site) -> None:
    for operation, role in PERMISSIONS.items():
        method, path = operation.split(" ")
        if path.startswith("/admin/v1/tokens"):
            assert role == "admin"
        elif path != "/admin/v1/session":
            assert (role == "viewer") == (method == "GET"), operation


def test_a_refusal_names_the_role_needed_and_the_one_held_and_an_end_its_time(site: Site) -> None:
    async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
        path = "/admin/v1/models/m/stop"
        return [await client.post(path, headers=bearer(site.texts[held])) for held in ("approver", "expired")]

    refused, expired = site.run(ask)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "this needs the role operator, and some approver has the role approver"
    assert "expired at 1970-01-01T00:16:50" in expired.json()["detail"]
    assert expired.headers["www-authenticate"] == 'Bearer realm="weir"'


def test_an_operation_that_nobody_gave_a_role_is_not_built() -> None:
    with pytest.raises(LookupError, match=r"POST /admin/v1/new has no role in gateway/http/permissions\.py"):
        needed_role("POST", "/admin/v1/new")


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


async def signed_in(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, str]:
    answer = await client.post("/admin/v1/session", headers=headers)
    client.cookies.clear()
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return {"cookie": cookie, "x-weir-csrf": answer.json()["csrf"]}


def is_refusal(answer: httpx.Response, path: str, needed: str, held: str) -> bool:
    document = answer.json()
    told = document["error"] if path.startswith("/v2/") else document["detail"]
    return answer.status_code == 403 and f"needs the role {needed}" in told and f"has the role {held}" in told
