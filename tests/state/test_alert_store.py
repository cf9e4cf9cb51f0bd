"""Alerts in the state store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.state.alert_store import LedgerAlertStore
from gateway.state.ledger import Ledger, verify
from gateway.state.pages import page_writes, read_pages
from gateway.state.sqlite import SqliteStore
from monitors.records import Alert, Driver

DRIVER = Driver("https", "missing", 1.0, 0.02, "median 0.5", "missing 100 %")
ALERT = Alert(
    "a1", "phishing", "1", "stable", "data-quality", "firing", "page", 1.0, 0.1, 60.0, 60.0, "moved",
    drivers=(DRIVER,), labels={"calm_ticks": "0"},
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Give a store that is closed afterwards."""
    opened = SqliteStore(tmp_path / "weir.db")
    yield opened
    opened.close()


def alerts_of(store: SqliteStore) -> LedgerAlertStore:
    """Return the adapter under test."""
    return LedgerAlertStore(store, Ledger(store, SystemClock()))


def test_an_open_alert_comes_back_whole(store: SqliteStore) -> None:
    alerts_of(store).save(ALERT)
    assert alerts_of(store).load_open() == [ALERT]


def test_a_resolved_alert_leaves_the_documents_and_stays_in_the_audit_chain(store: SqliteStore) -> None:
    alerts = alerts_of(store)
    alerts.save(ALERT)
    alerts.save(replace(ALERT, state="recovering"))
    alerts.save(replace(ALERT, state="resolved", resolved_at=90.0))
    assert alerts.load_open() == []
    records = store.audit()
    assert [record.action for record in records] == ["alert.firing", "alert.recovering", "alert.resolved"]
    assert records[1].before["state"] == "firing"
    assert verify(records) == store.head()


def test_an_alert_that_was_never_stored_can_be_resolved(store: SqliteStore) -> None:
    alerts_of(store).save(replace(ALERT, state="resolved", resolved_at=90.0))
    assert alerts_of(store).load_open() == []


def test_a_page_is_kept_once_and_outlives_its_alert(store: SqliteStore) -> None:
    alerts = alerts_of(store)
    alerts.save(replace(ALERT, severity="warning", state="warn"))
    assert read_pages(store) == []
    for state in ("firing", "recovering", "resolved", "firing"):
        alerts.save(replace(ALERT, state=state))
    (page,) = read_pages(store)
    assert (page.alert_id, page.cause, page.paged_at, page.is_false) == ("a1", "data-quality", 60.0, False)


def test_the_oldest_pages_are_forgotten(store: SqliteStore) -> None:
    for i in range(4):
        alerts_of(store).save(replace(ALERT, id=f"a{i}", updated_at=float(i)))
    writes = page_writes(store, replace(ALERT, id="a9"), most=3)
    assert [(write.key, write.body is None) for write in writes] == [
        ("page/a9", False), ("page/a0", True), ("page/a1", True),
    ]  # fmt: skip
