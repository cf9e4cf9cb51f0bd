"""Idempotency keys of rollouts, in both homes of the state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import IdempotencyKeyReused
from gateway.rollout.document import encode_rollout, rollout_key
from gateway.rollout.idempotency import fingerprint, is_repeated, remembered
from gateway.rollout.operations import Ask, RolloutControl
from gateway.rollout.verbs import Verb
from gateway.routing.codec import encode_route, route_key
from gateway.routing.document import RouteDocument
from gateway.state.ledger import Ledger
from gateway.state.redis import RedisStore
from gateway.state.sqlite import SqliteStore
from gateway.state.store import StateStore, Write
from gateway.types import Actor
from tests.redis_server import RedisServer

ANN = Actor("ann")
BODY = {"model": "m", "version": "2", "reason": "retrained"}


class OneModel:
    def models(self) -> dict[str, list[str]]:
        return {"m": ["1", "2", "3"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    store: StateStore
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "state.db")
    else:
        server: RedisServer = request.getfixturevalue("server")
        server.tell("FLUSHALL")
        store = RedisStore(server.address, timeout_s=5)
    Ledger(store, SystemClock()).change(
        [Write(route_key("m"), 0, encode_route(RouteDocument("m", 0, "1", "s")))],
        actor=ANN, action="route.seed", resource="route/m", before=None, after=None,
    )  # fmt: skip
    yield store
    store.close()


@pytest.fixture
def control(store: StateStore) -> RolloutControl:
    return RolloutControl(Ledger(store, SystemClock()), store, SystemClock(), repository=OneModel())


def start(control: RolloutControl, key: str, **body: object) -> str:
    return control.start(json.dumps({**BODY, **body}).encode(), Ask(actor=ANN, idempotency_key=key)).rollout.id


def act(control: RolloutControl, verb: Verb, key: str, reason: str = "") -> str:
    return control.act("m", verb, reason, Ask(actor=ANN, idempotency_key=key)).rollout.state


def test_a_key_means_one_request_and_repeating_it_does_nothing(control: RolloutControl, store: StateStore) -> None:
    first = start(control, "k")
    again = control.start(json.dumps(dict(reversed(BODY.items()))).encode(), Ask(actor=ANN, idempotency_key="k"))
    assert again.rollout.id == first
    others: list[Callable[[], str]] = [
        lambda: act(control, "abort", "k"),
        lambda: start(control, "k", version="3"),
        lambda: start(control, "k", override=True),
    ]
    for other in others:
        with pytest.raises(IdempotencyKeyReused):
            other()
    assert act(control, "pause", "p", "lunch") == act(control, "pause", "p", "lunch") == "paused"
    with pytest.raises(IdempotencyKeyReused):
        act(control, "pause", "p", "dinner")
    assert [one.action for one in store.audit(resource="rollout/m")] == ["rollout.start", "rollout.paused"]


def test_an_abort_that_comes_late_does_not_end_the_next_rollout(control: RolloutControl) -> None:
    start(control, "k1")
    act(control, "abort", "a")
    second = start(control, "k2")
    assert act(control, "abort", "a") == "draft"
    assert control.get("m").id == second


def test_of_many_at_once_with_one_key_one_is_carried_out(control: RolloutControl, store: StateStore) -> None:
    start(control, "k")
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: act(control, "pause", "p"), range(8)))
    assert set(states) == {"paused"}
    assert [one.action for one in store.audit(resource="rollout/m")] == ["rollout.start", "rollout.paused"]


def test_a_key_that_an_earlier_release_stored_stands_for_any_request(
    control: RolloutControl, store: StateStore
) -> None:
    start(control, "k")
    rollout = replace(control.get("m"), applied=("k", "old"))
    Ledger(store, SystemClock()).change(
        [Write(rollout_key("m"), rollout.revision, encode_rollout(rollout))],
        actor=ANN, action="x", resource="rollout/m", before=None, after=None,
    )  # fmt: skip
    assert act(control, "abort", "old") == "draft"


def test_the_newest_sixteen_keys_are_kept() -> None:
    applied: tuple[str, ...] = ()
    for i in range(20):
        applied = remembered(applied, f"k{i}", fingerprint("pause", ""))
    known = [is_repeated(applied, f"k{i}", fingerprint("pause", "")) for i in range(20)]
    assert known == [False] * 4 + [True] * 16
    assert remembered(applied, "", "") == applied
