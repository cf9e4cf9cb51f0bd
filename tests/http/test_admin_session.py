"""Sign-in by cookie over ASGI: what it takes, what it gives, and what it does not let through."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from gateway.access.tokens import Token, new_token
from gateway.clock import SystemClock
from gateway.control import Control
from gateway.errors import WeirError
from gateway.http.admin import admin_routes
from gateway.http.admin_access import ControlAccess
from gateway.http.admin_session import SessionApi
from gateway.http.auth import BearerToken
from gateway.http.credentials import COOKIE, CSRF_HEADER, Credentials
from gateway.http.sessions import Sessions, SignedOut
from gateway.http.sign_in_throttle import SignInThrottle
from gateway.metrics.shared import SharedCounters
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from tests.http.test_admin import OneModel, WatchOf, assert_problem, at_once, tell
from tests.serving import HandClock

TOKEN = "s3cret"


class Site:
    """The admin API, and a browser's cookies."""

    def __init__(self, folder: Path, store: SqliteStore, counters: SharedCounters) -> None:
        self.clock = HandClock()
        control = Control(Ledger(store, SystemClock()), store, SystemClock(), repository=OneModel())
        control.seed_routes({"m": ["1"]}, {})
        self.tokens: dict[str, Token] = {}
        throttle = SignInThrottle(self.clock, counters)
        bearer = BearerToken(TOKEN, throttle=throttle, tokens=lambda: self.tokens, clock=self.clock)
        credentials = Credentials(bearer, Sessions(TOKEN, SignedOut(folder / "signed-out"), self.clock))
        table = SessionApi(credentials).table()
        routes = admin_routes(ControlAccess(control, at_once), WatchOf(), credentials, *table)
        self._app = Starlette(routes=routes, exception_handlers={WeirError: tell})
        self.cookies: dict[str, str] = {}

    def __call__(
        self, method: str, path: str, *, body: Any = None, origin: str = "", base: str = "http://weir", **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"origin": origin} if origin else {}
        named |= (
            {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        )

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, f"/admin/v1{path}", json=body, headers=named)

        return asyncio.run(ask())

    def sign_in(self, token: str = TOKEN, **how: str) -> httpx.Response:
        answer = self("POST", "/session", authorization=f"Bearer {token}", **how)
        self.cookies = {COOKIE: answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]}
        return answer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    store = SqliteStore(tmp_path / "state.db")
    counters = SharedCounters.create(tmp_path, "w", role="worker")
    yield Site(tmp_path, store, counters)
    counters.close()
    store.close()


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites_and_expires(site: Site) -> None:
    answer = site.sign_in()
    said = answer.headers["set-cookie"].lower()
    assert all(word in said for word in ("httponly", "samesite=strict", "path=/admin/v1", "expires="))
    assert "secure" not in said
    assert answer.headers["cache-control"] == "no-store"
    assert TOKEN not in answer.text + answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "how",
    [pytest.param({"base": "https://weir"}, id="own"), pytest.param({"origin": "https://weir.example"}, id="proxy")],
)
def test_the_cookie_is_secure_where_the_browser_speaks_tls(site: Site, how: dict[str, str]) -> None:
    assert "secure" in site.sign_in(**how).headers["set-cookie"].lower()


def test_a_session_reads_without_more_and_changes_only_with_its_own_word(site: Site) -> None:
    csrf = site.sign_in().json()["csrf"]
    assert site("GET", "/models").status_code == 200
    assert_problem(site("POST", "/models/m/stop"), 403, "csrf-invalid")
    assert_problem(site("POST", "/models/m/stop", **{CSRF_HEADER: "another"}), 403, "csrf-invalid")
    other = site.cookies
    site.cookies = {}
    foreign = site("POST", "/session", authorization=f"Bearer {TOKEN}").json()["csrf"]
    site.cookies = other
    assert_problem(site("POST", "/models/m/stop", **{CSRF_HEADER: foreign}), 403, "csrf-invalid")
    assert site("POST", "/models/m/stop", **{CSRF_HEADER: csrf}).status_code == 200
    record = site("GET", "/audit?last=1").json()["records"][0]
    assert (record["action"], record["actor"]["subject"], record["actor"]["method"]) == (
        "route.stop",
        "admin",
        "session",
    )


def test_the_page_learns_its_word_again_after_it_was_loaded_anew(site: Site) -> None:
    begun = site.sign_in().json()
    assert site("GET", "/session").json() == begun


def test_signing_out_ends_the_session_on_the_server_too(site: Site) -> None:
    csrf = site.sign_in().json()["csrf"]
    assert_problem(site("DELETE", "/session"), 403, "csrf-invalid")
    answer = site("DELETE", "/session", **{CSRF_HEADER: csrf})
    assert answer.status_code == 204
    assert 'weir-session=""' in answer.headers["set-cookie"]
    assert_problem(site("GET", "/models"), 401, "session-ended")


def test_gateways_on_two_ports_of_a_host_do_not_take_each_others_cookie(site: Site) -> None:
    names = [site.sign_in(base=f"http://weir:{port}").headers["set-cookie"].split("=")[0] for port in (8080, 9090)]
    assert names == ["weir-session-8080", "weir-session-9090"]
    ticket = site.cookies[COOKIE]
    site.cookies = {"weir-session-8080": "of another gateway", "weir-session-9090": ticket}
    assert site("GET", "/models", base="http://weir:9090").status_code == 200
    assert_problem(site("GET", "/models", base="http://weir:8080"), 401, "session-ended")


def test_a_session_cannot_renew_itself(site: Site) -> None:
    csrf = site.sign_in().json()["csrf"]
    assert_problem(site("POST", "/session", **{CSRF_HEADER: csrf}), 401, "credentials-missing")


def test_an_expired_session_is_told_from_a_wrong_token(site: Site) -> None:
    expires_at = site.sign_in().json()["expires_at"]
    site.clock.now_s = expires_at + 1.0
    assert_problem(site("GET", "/models"), 401, "session-ended")


def test_a_token_goes_before_a_cookie(site: Site) -> None:
    site.cookies = {COOKIE: "nonsense"}
    assert_problem(site("GET", "/models"), 401, "session-ended")
    assert site("GET", "/models", authorization=f"Bearer {TOKEN}").status_code == 200


def test_guessing_at_the_sign_in_is_throttled(site: Site) -> None:
    answers = [site("POST", "/session", authorization="Bearer no") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert cast(Any, site.sign_in()).status_code == 200


def test_a_session_has_the_role_of_its_token_and_ends_with_it(site: Site) -> None:
    text, token = new_token("ann", "operator", now_s=site.clock.now_s, by="admin", expires_in_s=60)
    site.tokens[token.id] = token
    begun = site.sign_in(text).json()
    assert begun == begun | {"subject": "ann", "roles": ["viewer", "operator"], "expires_at": token.expires_at}
    assert text not in site.cookies[COOKIE]
    assert site("POST", "/models/m/stop", **{CSRF_HEADER: begun["csrf"]}).status_code == 200
    (record,) = site("GET", "/audit?last=1").json()["records"]
    assert record["actor"] == {
        "subject": "ann", "role": "operator", "method": "session", "address": "127.0.0.1", "token": token.id,
    }  # fmt: skip
    site.tokens[token.id] = replace(token, role="viewer")
    refused = site("POST", "/models/m/stop", **{CSRF_HEADER: begun["csrf"]})
    assert_problem(refused, 403, "role-missing")
    assert site("GET", "/session").json()["roles"] == ["viewer"]
    del site.tokens[token.id]
    assert_problem(site("GET", "/models"), 401, "session-ended")


def test_a_session_ends_in_the_second_in_which_its_token_expires(site: Site) -> None:
    text, token = new_token("ann", "viewer", now_s=site.clock.now_s, by="admin", expires_in_s=60)
    site.tokens[token.id] = token
    site.sign_in(text)
    site.clock.now_s += 59.0
    assert site("GET", "/models").status_code == 200
    site.clock.now_s += 1.0
    assert_problem(site("GET", "/models"), 401, "session-ended")
