"""The verbs of the admin API against a real gateway's admin routes on a real port."""

import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from gateway.catalog.bundle import Bundle
from gateway.catalog.digests import DigestRegister
from gateway.cli import main
from gateway.clock import SystemClock
from gateway.codec.documents import encode_document
from gateway.commands import tables
from gateway.control import Control
from gateway.engine.version import ServableVersion
from gateway.errors import WatchUnavailable, WeirError
from gateway.http.admin import admin_routes
from gateway.http.admin_access import ControlAccess
from gateway.http.auth import BearerToken
from gateway.http.problems import problem_response
from gateway.snapshot import Snapshot, read_snapshot
from gateway.state.alert_store import LedgerAlertStore
from gateway.state.facts import encode_facts
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor, VersionStatus, WorkerFacts
from monitors.records import Alert, Page
from tests.models import columns_classifier
from tests.serving import servable_of

T = TypeVar("T")
FEATURE = {"psi_band": 0.05, "jensen_shannon": 0.04, "jensen_shannon_band": 0.06, "ks": None, "ks_band": None}
SPOKEN = {"signal": "feature/age", "detections": 2, "detected_at": 1_700_000_000.0}
QUIET = {"signal": "confidence", "detections": 0, "detected_at": None}
GONE = {"name": "income", "before": "missing 0 %", "after": "missing 25 %"}
STREAM = {
    "version": "1",
    "variant": "stable",
    "rows": 400,
    "window_from": 1_700_000_000.0,
    "window_to": 1_700_000_001.0,
    "rows_since": 7,
    "features": [
        FEATURE | {"name": "age", "psi": 0.01, "wasserstein": 0.02, "missing": 0.0, "unseen": 0.125},
        FEATURE | {"name": "income", "psi": 0.5, "wasserstein": 0.3, "missing": 0.25, "unseen": 0.0},
    ],
    "confidence": {"collapse_index": 0.125},
    "segments": {
        "feature": "kind",
        "values": [
            {"name": "new", "rows": 90, "share": 0.225, "reference_share": 0.2, "moved": [GONE]},
            {"name": "other", "rows": 310, "share": 0.775, "reference_share": 0.8, "moved": []},
        ],
    },
    "performance": {
        "reference_accuracy": 0.9,
        "estimates": [{"method": "cbpe", "accuracy": 0.75}, {"method": "atc", "accuracy": None}],
    },
    "detectors": [
        {"name": "adwin", "is_warm": True, "failed": None, "signals": [SPOKEN, QUIET]},
        {"name": "kswin", "is_warm": False, "failed": None, "signals": [QUIET]},
    ],
}
UNJUDGED = {**STREAM, "window_from": None, "window_to": None}
ALERT = {
    "model": "m",
    "version": "1",
    "variant": "stable",
    "cause": "drift",
    "severity": "page",
    "state": "firing",
    "since": 1_700_000_000.0,
    "summary": "income moved [sic]",
    "calibration": "profile",
    "evidence": 17.25,
    "evidence_threshold": 14.5,
    "id": "a1b2",
    "acknowledged": {"at": 1_700_000_001.0, "by": "ann", "reason": "on it"},
    "is_false": True,
}
BUDGET = {"budget": "1 false page a week (mean)", "allowed": 4.0, "pages": 3, "false_pages": 1}
PAGE = Page("a1b2", "m", "1", "stable", "drift", "profile", 1_700_000_000.0, "income moved")


class ThreeVersions:
    def models(self) -> dict[str, list[str]]:
        return {"m": ["1", "2", "3"], "fresh": ["1"]}

    def card(self, model: str, version: str) -> str:
        return f"{model} {version}"


class Watch:
    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        m: dict[str, object] = {"model": "m", "as_of": 1_700_000_009.0, "streams": [STREAM], "budget": BUDGET}
        documents: dict[str, object] = {
            "/admin/v1/models/m/drift": m,
            "/admin/v1/models/fresh/drift": m
            | {"model": "fresh", "as_of": 1_700_000_001.0, "streams": [STREAM, UNJUDGED]},
            "/admin/v1/alerts": {"alerts": [ALERT]},
        }
        if path not in documents:
            raise WatchUnavailable
        return 200, {"content-type": "application/json"}, json.dumps(documents[path]).encode()

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        reported = json.loads(body)["outcomes"]
        taken = {"received": len(reported), "joined": len(reported), "unknown": 0, "unusable": 0}
        return 200, json.dumps(taken | {"is_led_here": True, "path": path}).encode()


async def at_once(fn: Callable[..., T], /, *args: Any) -> T:
    return fn(*args)


async def without_pause(seconds: float) -> None: ...


async def tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, WeirError)
    return problem_response(error)


class Gateway:
    """A store, and the admin routes over it on a port of this host."""

    def __init__(self, store: SqliteStore) -> None:
        self._store, self._ledger = store, Ledger(store, SystemClock())
        keep = Write(f"page/{PAGE.alert_id}", 0, encode_document(PAGE))
        self._ledger.change([keep], actor=Actor("watch"), action="alert.firing", resource="x", before=None, after={})
        self.loaded: dict[tuple[str, str], ServableVersion] = {}
        self.control = Control(
            self._ledger,
            store,
            SystemClock(),
            repository=ThreeVersions(),
            loaded=lambda *name: self.loaded.get(name),
        )
        pause: Callable[[float], Awaitable[None]] = without_pause
        bearer = BearerToken("s3cret", tokens=lambda: read_snapshot(store, 0, Snapshot()).tokens)
        routes = admin_routes(ControlAccess(self.control, at_once, pause), Watch(), bearer)
        app = Starlette(routes=routes, exception_handlers={WeirError: tell})
        config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self.socket = config.bind_socket()
        self.socket.listen()  # or who asks before the server does is refused
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def damage(self, key: str) -> None:
        """Store what no process can read."""
        document = self._store.read(key)
        write = Write(key, document.revision if document else 0, b"{")
        self._ledger.change([write], actor=Actor("x"), action="x", resource=key, before=None, after={})

    def open_alert(self, name: str) -> None:
        alert = Alert(name, "m", "1", "stable", "drift", "firing", "page", 0.3, 0.2, 1.0, 2.0, "income moved")
        LedgerAlertStore(self._store, self._ledger).save(alert)

    def admit(self, bundle: Bundle) -> None:
        """Remember the digest of a version, as a worker does that loads it first."""
        DigestRegister(self._ledger, self._store).admit(bundle, Actor("weir"))

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    store = SqliteStore(tmp_path / "state.db")
    for worker in ("worker-0", "shadow-0"):
        ready = {version: VersionStatus("ready") for version in "123"}
        facts = WorkerFacts(worker, 1, 0.0, {"m": ready, "fresh": {"1": VersionStatus("ready")}})
        store.announce(worker, encode_facts(facts), ttl_s=600)
    gateway = Gateway(store)
    gateway.control.seed_routes({"m": ["1", "2", "3"]}, {"m": "1"})
    monkeypatch.setenv("WEIR_URL", gateway.url)
    monkeypatch.setenv("WEIR_ADMIN_TOKEN", "s3cret")
    monkeypatch.setenv("COLUMNS", "160")
    yield gateway
    gateway.stop()
    store.close()


Weir = Callable[..., tuple[int, str, str]]


@pytest.fixture
def weir(capsys: pytest.CaptureFixture[str]) -> Weir:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exited:
            main(arguments)
        out, err = capsys.readouterr()
        return int(exited.value.code or 0), out, err

    return run


@pytest.mark.usefixtures("gateway")
def test_a_canary_goes_up_is_promoted_and_rolled_back(weir: Weir) -> None:
    code, out, err = weir("route", "set", "m", "--canary", "2=33.33", "--shadow", "3", "--reason", "try it", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["canary"] == {"version": "2", "weight": 33.33}
    code, out, _ = weir("route", "set", "m", "--stable", "2", "--reason", "good", "--json")
    promoted = json.loads(out)
    assert (code, promoted["stable"], promoted["canary"], promoted["previous_stable"]) == (0, "2", None, "1")
    assert promoted["shadow"] == [{"version": "3", "sample": 100}]
    code, _, err = weir("rollback", "m", "--reason", "worse", "--if-match", "1")
    assert (code, "revision" in err) == (1, True)
    code, out, _ = weir("rollback", "m", "--reason", "worse", "--if-match", "3", "--json")
    assert (code, json.loads(out)["stable"]) == (0, "1")
    code, out, _ = weir("audit", "--resource", "route/m", "--after", "1")
    assert code == 0
    assert [word in out for word in ("route.set", "route.rollback", "try it", "worse")] == [True] * 4


def test_a_model_is_stopped_with_a_constant_answer(gateway: Gateway, weir: Weir, tmp_path: Path) -> None:
    gateway.loaded["m", "1"] = servable_of(tmp_path / "1", columns_classifier())
    code, out, err = weir("stop", "m", "--answer", "setosa")
    assert (code, err) == (0, "")
    assert [word in out for word in ("STOPPED", "is not asked", '"label": "setosa"')] == [True] * 3
    row = {"label": "setosa", "probabilities": [0.5, 0.5, 0.0]}
    _, out, _ = weir("stop", "m", "--answer", json.dumps(row), "--json")
    assert json.loads(out)["stop"]["answer"] == row
    assert "/probabilities" in weir("stop", "m", "--answer", json.dumps(row | {"probabilities": [0, 1, 0]}))[2]
    for unspeakable in ("1e400", "[" * 100_000, "-" + "9" * 400 + ".0"):
        code, _, err = weir("stop", "m", "--answer", unspeakable)
        assert (code, "Traceback" in err) == (2, False)
    code, _, err = weir("stop", "m", "--reason", "\udcff")
    assert (code, "Traceback" in err) == (1, False)
    code, _, err = weir("stop", "m", "--answer", "NaN")
    assert code == 1
    assert "one of the classes setosa, versicolor, virginica" in " ".join(err.split())


@pytest.mark.usefixtures("gateway")
def test_a_rollout_is_paused_and_its_gates_are_overridden_where_they_can_be(weir: Weir) -> None:
    assert weir("rollout", "start", "m", "2")[0] == 0
    code, out, _ = weir("rollout", "pause", "m", "--reason", "lunch", "--json")
    assert (code, json.loads(out)["rollout"]["state"]) == (0, "paused")
    code, out, _ = weir("rollout", "override", "m", "errors", "--reason", "known", "--dry-run")
    assert (code, "errors is no gate of its stage" in " ".join(out.split())) == (1, True)
    code, out, _ = weir("rollout", "override", "m", "incident", "--reason", "known")
    assert (code, "incident is overridden by admin" in " ".join(out.split())) == (0, True)


@pytest.mark.usefixtures("gateway")
def test_a_model_is_stopped_and_resumed(weir: Weir) -> None:
    code, out, err = weir("stop", "m", "--reason", "harm")
    assert (code, err) == (0, "")
    assert [word in out for word in ("STOPPED", "everything is refused", "harm")] == [True] * 3
    _, out, _ = weir("stop", "m", "--fallback", "2", "--json")
    assert json.loads(out)["stop"]["version"] == "2"
    code, out, _ = weir("resume", "m", "--reason", "mended", "--json")
    assert (code, json.loads(out)["stop"]) == (0, None)


@pytest.mark.usefixtures("gateway")
def test_a_route_is_shown_as_a_table(weir: Weir) -> None:
    weir("route", "set", "m", "--canary", "2=10", "--shadow", "3=50", "--reason", "start")
    code, out, _ = weir("route", "show", "m")
    assert code == 0
    assert all(word in out for word in ("m, revision 2", "90.00 %", "10.00 %", "50.00 % sampled", "admin: start"))
    weir("route", "set", "m", "--no-canary", "--no-shadow", "--reason", "stop")
    _, out, _ = weir("route", "show", "m")
    assert "100.00 %" in out
    assert "canary" not in out
    assert "shadow" not in out


@pytest.mark.usefixtures("gateway")
def test_a_model_without_a_route_gets_its_first_one(weir: Weir) -> None:
    code, _, err = weir("route", "set", "fresh", "--reason", "first")
    assert code == 2
    assert "name its stable version" in err
    code, out, _ = weir("route", "set", "fresh", "--stable", "1", "--reason", "first", "--json")
    assert (code, json.loads(out)["revision"]) == (0, 1)


def test_a_route_that_cannot_be_read_is_replaced_at_the_revision_that_is_told(weir: Weir, gateway: Gateway) -> None:
    gateway.damage("route/m")
    code, _, err = weir("route", "set", "m", "--stable", "2", "--reason", "mend")
    assert (code, "weir route set --if-match 2" in err) == (1, True)
    code, out, _ = weir("route", "set", "m", "--stable", "2", "--if-match", "2", "--reason", "mend", "--json")
    assert (code, json.loads(out)["stable"], json.loads(out)["revision"]) == (0, "2", 3)


@pytest.mark.usefixtures("gateway")
def test_a_problem_is_told_with_its_faults_and_exit_code_one(weir: Weir) -> None:
    code, out, err = weir("route", "set", "m", "--canary", "1=200", "--reason", "wrong")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "weir: The document breaks its schema",
        "  /canary/weight: expected a percentage from 0 to 100, found 200.0",
        "  /canary/version: expected another version than /stable, found '1'",
    ]
    code, _, err = weir("route", "set", "m", "--stable", "2", "--if-match", "9", "--reason", "late")
    assert code == 1
    assert "is at revision 1, not 9" in err


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "arguments",
    [
        ("route", "set", "m"),
        ("route", "set", "m", "--canary", "2", "--reason", "r"),
        ("route", "set", "m", "--canary", "2=x", "--reason", "r"),
        ("rollback",),
        ("nonsense",),
    ],
)
def test_wrong_usage_exits_with_two(weir: Weir, arguments: tuple[str, ...]) -> None:
    assert weir(*arguments)[0] == 2


@pytest.mark.usefixtures("gateway")
def test_versions_are_loaded_and_unloaded(weir: Weir) -> None:
    code, out, _ = weir("load", "m", "3", "--reason", "next")
    assert code == 0
    assert "m version 3: ready" in out
    code, out, _ = weir("unload", "m", "3", "--json")
    assert (code, json.loads(out)) == (0, {"model": "m", "pinned": [], "unloaded": ["3"]})
    code, _, err = weir("unload", "m", "1")
    assert (code, err) == (1, "weir: m version 1 is stable; route traffic away from it first\n")


@pytest.mark.usefixtures("gateway")
def test_drift_shows_first_what_moved_most(weir: Weir) -> None:
    code, out, _ = weir("drift", "m")
    assert code == 0
    assert out.index("income") < out.index("age")
    assert all(word in out for word in ("segments by kind", "22.50 %", "income missing 0 % -> missing 25 %"))
    assert all(word in out for word in ("0.500", "25.00 %", "unseen", "12.50 %", "collapse index 0.125"))
    assert "rows of 2023-11-14 22:13:20 to 22:13:21 UTC" in out
    assert "7 rows came since: too few, so far, to judge again" in out
    code, _, err = weir("drift", "other")
    assert code == 1
    assert "the watch process does not answer" in err


@pytest.mark.usefixtures("gateway")
def test_rows_that_wait_for_the_next_tick_are_not_called_too_few(weir: Weir) -> None:
    code, out, _ = weir("drift", "fresh")
    assert code == 0
    assert out.count("rows of") == 1
    assert "came since" not in out


@pytest.mark.usefixtures("gateway")
def test_alerts_say_what_moved(weir: Weir) -> None:
    code, out, _ = weir("alerts")
    assert code == 0
    words = ("m/1", "page", "firing", "2023-11-14 22:13:20Z", "income moved [sic]", "17.2 of 14.5 nats", "a1b2")
    said = ("acknowledged by ann: on it", "marked false")
    assert [word for word in (*words, *said) if word not in out] == []
    assert json.loads(weir("alerts", "--json")[1])["alerts"] == [ALERT]


def test_an_open_alert_is_acknowledged(gateway: Gateway, weir: Weir) -> None:
    gateway.open_alert("a1b2")
    code, out, _ = weir("acknowledge", "a1b2", "--reason", "on it [sic]")
    assert (code, out) == (0, "a1b2 is acknowledged by admin: on it [sic]\n")
    assert json.loads(weir("acknowledge", "a1b2", "--json")[1])["reason"] == ""
    code, _, err = weir("acknowledge", "nobody")
    assert (code, err) == (1, "weir: an open alert 'nobody' does not exist\n")


@pytest.mark.usefixtures("gateway")
def test_a_page_is_marked_false_once_and_for_all(weir: Weir) -> None:
    code, out, _ = weir("mark-false", "a1b2", "--reason", "a sale")
    assert (code, "marked false by" in out) == (0, True)
    assert json.loads(weir("mark-false", "a1b2", "--json")[1])["reason"] == "a sale"
    (record,) = [r for r in json.loads(weir("audit", "--json")[1])["records"] if r["action"] == "alert.mark-false"]
    assert (record["resource"], record["reason"], record["before"]["is_false"]) == ("alert/a1b2", "a sale", False)
    code, _, err = weir("mark-false", "nobody")
    assert (code, "a page of an alert 'nobody' does not exist" in err) == (1, True)


@pytest.mark.usefixtures("gateway")
def test_drift_tells_the_budget_and_what_came_of_it(weir: Weir) -> None:
    assert "1 false page a week (mean); in the last four weeks 3 pages, 1 of them marked false" in " ".join(
        weir("drift", "m")[1].split()
    )


def test_the_token_comes_from_a_file_too(
    gateway: Gateway, weir: Weir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEIR_ADMIN_TOKEN")
    monkeypatch.chdir(tmp_path)
    code, _, err = weir("route", "show", "m")
    assert code == 1
    assert "send a token" in err
    path = tmp_path / "weir.db.admin-token"
    path.write_text("s3cret\n")
    assert weir("route", "show", "m")[0] == 0
    other = tmp_path / "other"
    assert weir("route", "show", "m", "--token-file", str(other))[0] == 1
    other.write_text("s3cret")
    assert weir("route", "show", "m", "--token-file", str(other), "--url", gateway.url)[0] == 0


@pytest.mark.usefixtures("gateway")
def test_a_token_is_printed_once_listed_used_and_revoked(weir: Weir, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = weir("token", "create", "--name", "ann", "--role", "viewer", "--expires", "90d")
    text = out.strip()
    assert (code, out.count("\n"), "viewer token" in err, text in err) == (0, 1, True, False)
    listed = json.loads(weir("token", "list", "--json")[1])["tokens"]
    (token,) = [token for token in listed if token["name"] == "ann"]
    assert datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(token["created_at"]) == timedelta(90)
    _, out, _ = weir("token", "list")
    assert text not in out
    assert {"ann", "viewer", token["id"]} <= set(out.split())
    monkeypatch.setenv("WEIR_TOKEN", text)
    code, _, err = weir("token", "list")
    assert (code, "needs the role admin, and ann has the role viewer" in err) == (1, True)
    monkeypatch.delenv("WEIR_TOKEN")
    code, out, err = weir("token", "revoke", token["id"], "--reason", "left")
    assert (code, out) == (0, f"token {token['id']} is revoked\n")
    assert "not known yet to worker-0" in err  # which stands still in this test
    code, _, err = weir("token", "revoke", token["id"])
    assert (code, "does not exist" in err) == (1, True)


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize("expires", ["90", "d", "0d", "-1d", "1.5h", "1y", "9999999999d"])
def test_a_time_that_is_none_makes_no_token(weir: Weir, expires: str) -> None:
    code, out, err = weir("token", "create", "--name", "ann", "--role", "viewer", "--expires", expires)
    assert (code, out, "--expires" in err) == (2, "", True)


def test_a_gateway_that_is_not_there_is_said(weir: Weir) -> None:
    code, _, err = weir("alerts", "--url", "http://127.0.0.1:9")
    assert code == 1
    assert err == "weir: cannot reach http://127.0.0.1:9: connection refused; is weir serve running there?\n"


@pytest.mark.usefixtures("gateway")
def test_text_of_others_is_no_command_to_the_terminal(weir: Weir) -> None:
    hostile = "\x1b]0;owned\x07\x9b31m\u202e [bold]sorry"
    weir("route", "set", "m", "--canary", "2=10", "--reason", hostile)
    for arguments in (("audit",), ("route", "show", "m")):
        _, out, _ = weir(*arguments)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
        assert r"\x1b]0;owned\x07\x9b31m\u202e [bold]sorry" in " ".join(out.split())
        _, out, _ = weir(*arguments, "--json")
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
    _, _, err = weir("drift", "\x1b[2J")
    assert "\x1b" not in err


@pytest.mark.usefixtures("gateway")
def test_the_newest_audit_records_are_shown_in_order(weir: Weir) -> None:
    for weight in range(1, 8):
        weir("route", "set", "m", "--canary", f"2={weight}", "--reason", f"step {weight}")
    records = json.loads(weir("audit", "--last", "3", "--json")[1])["records"]
    assert [record["reason"] for record in records] == ["step 5", "step 6", "step 7"]
    code, _, err = weir("audit", "--last", "3", "--after", "1")
    assert code == 2
    assert "need neither --after" in " ".join(err.split())


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--no-shadow", "--shadow", "3"), "not together with --no-shadow", id="shadow"),
        pytest.param(("--no-canary", "--canary", "2=5"), "not together with --no-canary", id="canary"),
        pytest.param((), "nothing to change", id="nothing"),
    ],
)
def test_a_change_that_contradicts_itself_or_changes_nothing_is_wrong_usage(
    weir: Weir, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = weir("route", "set", "m", "--reason", "r", *arguments)
    assert code == 2
    assert words in " ".join(err.replace("│", " ").split())
    assert json.loads(weir("route", "show", "m", "--json")[1])["revision"] == 1


PLAN = "steps: [1, 10]\nguards: {latency: null}\n"


@pytest.mark.usefixtures("gateway")
def test_a_rollout_is_started_shown_held_and_taken_back(weir: Weir, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    code, out, _ = weir("rollout", "start", "m", "2", "--plan", str(plan), "--reason", "retrained", "--dry-run")
    assert code == 0
    assert "nothing was changed" in out
    code, out, _ = weir("rollout", "start", "m", "2", "--plan", str(plan), "--reason", "retrained")
    assert code == 0
    assert "m: 1 to 2, draft" in out
    assert "canary 10 %" in out
    code, out, _ = weir("rollout", "status", "m")
    assert code == 0
    assert "the watch process is away" in out
    code, out, _ = weir("rollout", "pause", "m", "--reason", "lunch", "--json")
    assert (code, json.loads(out)["rollout"]["state"]) == (0, "paused")
    code, out, _ = weir("rollout", "list")
    assert "paused" in out
    code, out, err = weir("rollout", "start", "m", "3")
    assert code == 1
    assert "version 2 is being rolled out (paused); abort it first" in err
    code, out, _ = weir("rollout", "start", "m", "3", "--dry-run")
    assert code == 1
    assert "in the way: version 2 is being rolled out" in out
    assert weir("rollout", "abort", "m")[0] == 0
    assert weir("rollout", "status", "m", "--wait")[0] == 1


def test_a_plan_that_makes_no_sense_is_told_by_its_file(weir: Weir, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("steps: [10, 1]")
    code, _, err = weir("rollout", "start", "m", "2", "--plan", str(plan))
    assert code == 1
    assert f"{plan}: not valid" in err


def test_the_verdicts_of_a_rollout_are_shown_with_what_is_still_needed(capsys: pytest.CaptureFixture[str]) -> None:
    from gateway.commands.rollout_tables import show_rollout

    verdict = {"gate": "errors", "result": "inconclusive", "samples": 12, "needed": 548, "why": "1 of 12 keys failed"}
    evidence = {"stage_s": 61.0, "verdicts": [verdict], "hindrances": ["errors: 1 of 12 keys failed"]}
    rollout = {
        "model": "m", "stable": "1", "candidate": "2", "state": "holding", "stage": "canary", "step": 1, "weight": 10.0,
        "plan": {"steps": [1.0, 10.0], "shadow": {}}, "cause": "", "overrides": [], "updated_at": "", "updated_by": "",
    }  # fmt: skip
    show_rollout({"rollout": rollout, "evidence": evidence})
    shown = capsys.readouterr().out
    for words in ("holding at 10 %", "canary 10 %", "1 min 1 s in this stage", "about 548", "waits for: errors"):
        assert words in shown


def test_alerts_and_audit_fit_eighty_columns_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reason = " ".join(f"word{i}" for i in range(30))
    tables.show_alerts({"alerts": [{**ALERT, "model": "m" * 60, "summary": reason}]})
    actor = {"subject": "admin"}
    record = {"sequence": 12345, "time": "2026-11-21T07:20:31.183451Z", "actor": actor, "action": "alert.acknowledge"}
    tables.show_audit({"records": [{**record, "resource": "alert/7f954f90718270de", "reason": reason}]})
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert [out.count(word) for word in ("word29", "a1b2", "alert.acknowledge alert/7f954f90718270de")] == [2, 1, 1]


@pytest.mark.usefixtures("gateway")
def test_outcomes_are_reported_from_json_lines(weir: Weir, tmp_path: Path) -> None:
    assert weir("rollout", "start", "m", "2")[0] == 0
    file = tmp_path / "outcomes.jsonl"
    file.write_text("".join(f'{{"request_id": "r-{n}", "outcome": "spam"}}\n' for n in range(250)) + "\n")
    code, out, _ = weir("rollout", "outcomes", "m", str(file))
    assert (code, out.strip()[:42]) == (0, "250 outcomes: 250 joined with an answer, 0")
    code, out, _ = weir("rollout", "outcomes", "m", str(file), "--json")
    assert json.loads(out) == {"received": 250, "joined": 250, "unknown": 0, "unusable": 0}


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "text", ["{", "7", '{"request_id": "r"}', '{"request_id": "r", "outcome": 1, "x": 2}', "[" * 9_999]
)
def test_a_line_that_is_no_outcome_is_named(weir: Weir, tmp_path: Path, text: str) -> None:
    file = tmp_path / "outcomes.jsonl"
    file.write_text("\n" + text)
    code, _, err = weir("rollout", "outcomes", "m", str(file))
    assert code == 1
    assert "line 2: expected" in err
