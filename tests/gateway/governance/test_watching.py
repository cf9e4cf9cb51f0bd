"""Break-glass on the metrics page: as long as a grant is in force or nobody has reviewed it."""

from pathlib import Path
from typing import Any

from gateway.governance.approvals import ApprovalDocument, encode_approvals
from gateway.governance.watching import GrantReader
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.state.store import Write
from gateway.types import Actor
from tests.gateway.governance.material import document, grant
from tests.gateway.rollout.test_driver import HandClock


def test_a_grant_shows_while_it_is_in_force_and_until_it_is_reviewed(tmp_path: Path) -> None:
    clock = HandClock()
    store = SqliteStore(tmp_path / "weir.db", clock=clock)
    ledger, reader = Ledger(store, clock), GrantReader(store)

    def put(body: bytes) -> None:
        known = store.read("approval/fraud/" + "2" * 64)
        writes = [Write("approval/fraud/" + "2" * 64, known.revision if known else 0, body)]
        ledger.change(writes, actor=Actor("x"), action="x", resource="x", before=None, after=None)

    def told(now_s: float) -> dict[str, float]:
        return {labels["state"]: value for _, labels, value in reader.gauges(now_s)}

    def kept(**changes: Any) -> ApprovalDocument:
        return document(grants=(grant(expires_at=1_100.0, **changes),))

    assert told(0.0) == {}
    assert [labels["model"] for _, labels, value in reader.gauges(0.0, ["loan"]) if value == 0] == ["loan", "loan"]
    put(encode_approvals(kept()))
    assert told(1_099.0) == {"in_force": 1.0, "unreviewed": 0.0}
    assert told(1_100.0) == {"in_force": 0.0, "unreviewed": 1.0}
    put(b"{}")
    assert told(1_100.0) == {"in_force": 0.0, "unreviewed": 1.0}, "what cannot be read is not forgotten"
    put(encode_approvals(kept(reviewed_by="ann", reviewed_at=1_050.0)))
    assert told(1_060.0) == {"in_force": 1.0, "unreviewed": 0.0}
    assert told(1_100.0) == {"in_force": 0.0, "unreviewed": 0.0}
    store.close()
