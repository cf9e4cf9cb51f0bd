"""Acknowledgements of open alerts, on a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import ResourceUnknown
from gateway.state.acknowledgements import Acknowledgement, acknowledge, read_acknowledgements
from gateway.state.alert_store import LedgerAlertStore
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from monitors.records import Alert, AlertState


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db")
    yield store
    store.close()


def save(store: SqliteStore, name: str, state: AlertState = "firing") -> None:
    alert = Alert(name, "m", "1", "stable", "drift", state, "warning", 0.3, 0.2, 1.0, 2.0, "moved")
    LedgerAlertStore(store, Ledger(store, SystemClock())).save(alert)


def say(store: SqliteStore, name: str, reason: str = "on it", at: float = 5.0) -> Acknowledgement:
    ledger = Ledger(store, SystemClock())
    return acknowledge(store, ledger, name, actor=Actor("ann"), reason=reason, request_id="r", now_s=at)


def test_an_open_alert_is_acknowledged_and_audited(store: SqliteStore) -> None:
    save(store, "a")
    said = say(store, "a")
    assert read_acknowledgements(store) == [said] == [Acknowledgement("a", 5.0, "ann", "on it")]
    record = store.audit(1)[0]
    assert (record.action, record.resource, record.reason) == ("alert.acknowledge", "alert/a", "on it")


def test_saying_it_again_replaces_what_was_said(store: SqliteStore) -> None:
    save(store, "a")
    say(store, "a")
    say(store, "a", reason="still", at=9.0)
    assert read_acknowledgements(store) == [Acknowledgement("a", 9.0, "ann", "still")]
    assert store.audit(2)[0].before["reason"] == "on it"


def test_an_alert_that_is_not_open_is_unknown(store: SqliteStore) -> None:
    with pytest.raises(ResourceUnknown):
        say(store, "a")
    save(store, "a")
    save(store, "a", "resolved")
    with pytest.raises(ResourceUnknown):
        say(store, "a")


def test_what_was_said_of_alerts_that_are_over_is_forgotten(store: SqliteStore) -> None:
    for name in ("a", "b"):
        save(store, name)
        say(store, name)
    save(store, "a", "resolved")
    say(store, "b")
    assert [said.alert_id for said in read_acknowledgements(store)] == ["b"]
