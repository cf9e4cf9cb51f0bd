"""`weir history`, and what `weir log show` tells of a route, on state stores and without a gateway."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.routing.codec import encode_route, route_view
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute, Stop
from gateway.state.ledger import Ledger
from gateway.state.redis import RedisStore
from gateway.state.sqlite import SqliteStore
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from tests.gateway.prediction_log.material import NOON, Ground, HandClock, answers, masked
from tests.redis_server import RedisServer

FIRST = RouteDocument("m", 6, "1", "s", updated_at="2026-01-31T11:00:00Z", updated_by="weir")
ROUTES = (
    replace(FIRST, revision=7, canary=CanaryRoute("2", 500), shadows=(ShadowRoute("3", 10_000),), reason="retrained"),
    replace(FIRST, revision=8, stop=Stop("harm", "2026-01-31T12:00:20Z", "ann"), reason="harm \x1b[2J" + "x" * 200),
)


def weir(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    return end.value.code


def fill(store: StateStore) -> None:
    clock, before = HandClock(), FIRST
    for number, route in enumerate(ROUTES):
        Ledger(store, clock).change(
            [Write("route/m", number, encode_route(route))],
            actor=Actor("ann"),
            action="route.set",
            resource="route/m",
            before=route_view(before),
            after=route_view(route),
            reason=route.reason,
            evidence={"digests": {"1": "sha256:0123456789abcdef0123"}},
        )
        clock.now_s, before = clock.now_s + 20, route
    for number, key in enumerate(("a" * 64, "b" * 64)):
        Ledger(store, clock).change(
            [Write("signature/m/1", number, b"{}")],
            actor=Actor("worker-1"),
            action="version.signature",
            resource="digest/m/1",
            before=None,
            after={"signed_by": key},
        )
    store.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def state(tmp_path: Path) -> Path:
    fill(SqliteStore(tmp_path / "state.db"))
    return tmp_path / "state.db"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_the_history_fits_a_terminal_and_comes_from_either_store(
    kind: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "sqlite":
        address = request.getfixturevalue("state")
    else:
        address = request.getfixturevalue("server").address
        fill(RedisStore(address, timeout_s=5))
    assert weir("history", "m", "--state", address) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "signed by bbbbbbbbbbbb" in shown
    assert "\x1b" not in shown
    words = (
        "2026-01-31 11:00:00Z",
        "in force when the log",
        "stable 1: 95 %",
        "sha256:0123456789ab",
        "canary 2: 5 %",
        "digest not recorded",
        "shadow 3: 100 %",
        "by ann",
        "retrained",
        "STOPPED: all refused",
        "still in force",
    )
    for word in words:
        assert word in shown
    assert shown.index("retrained") < shown.index("STOPPED")
    assert weir("history", "m", "--state", address, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["route"]["revision"] for one in document["intervals"]] == [6, 7, 8]
    assert document["intervals"][1]["digests"] == {"1": "sha256:0123456789abcdef0123"}


def test_a_time_shows_what_was_in_force_and_names_its_zone(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert weir("history", "m", "--at", "2026-01-31T12:00:19.5", "--state", state) == 0
    shown = capsys.readouterr().out
    assert "no zone was given: taken as UTC" in shown
    assert "canary 2" in shown
    assert "STOPPED" not in shown
    assert weir("history", "m", "--at", "2026-01-31T13:00:20+01:00", "--state", state, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["at"], document["interval"]["route"]["revision"]) == ("2026-01-31T12:00:20Z", 8)


def test_what_cannot_be_told_is_a_problem_in_a_line(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, code, word in (
        (("m", "--at", "2026-01-31T10:59", "--state", state), 1, "since 2026-01-31T11:00:00Z only"),
        (("m", "--at", "yesterday", "--state", state), 2, "not a time such as"),
        (("m", "--at", "0001-01-01T00:00+14:00", "--state", state), 2, "not a time such as"),
        (("nobody\ud800", "--state", state), 1, "has no route of model"),
        (("m", "--state", tmp_path / "none.db"), 1, "No such file"),
        (("m", "--state", "redis://x:y:z"), 1, "redis"),
    ):
        assert weir("history", *arguments) == code
        assert word in capsys.readouterr().err


def test_a_record_that_was_torn_is_named_and_the_rest_shown(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(state) as connection:
        connection.execute("UPDATE audit SET record = x'7b' WHERE sequence = 1")
    connection.close()
    assert weir("history", "m", "--state", state) == 0
    shown = capsys.readouterr().out
    assert "note: record 1: was changed after it was written" in shown
    assert "STOPPED" in shown


def test_a_logged_answer_is_shown_with_the_change_that_chose_its_version(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ground = Ground(tmp_path / "log")
    ground.writer.take(masked("r-1", at=NOON))
    ground.writer.take(answers("r-1", at=NOON + 1.0))
    ground.writer.close()
    asked = ("log", "show", "r-1", "--path", ground.path)
    assert weir(*asked, "--state", state) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "route of m, revision 7: in force from 2026-01-31T12:00:00.000000Z until 2026-01-31T12:00:20" in shown
    assert "by ann retrained" in shown
    assert weir(*asked, "--state", state, "--json") == 0
    (origin,) = json.loads(capsys.readouterr().out)["routes"]
    assert (origin["model"], origin["revision"], origin["in_force"]["by"]) == ("m", 7, "ann")
    monkeypatch.setenv("WEIR_STATE", str(tmp_path / "none.db"))
    assert weir(*asked) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "the state store is not reachable" in shown
    assert "colour" in shown
