"""How long do ``weir history`` and ``weir audit verify`` take on a long log?

Run: ``.venv/bin/python benchmarks/audit_log.py``

Claim: of a log of 20,000 changes of routes, the history of one of ten models is read in a second of processor time,
that of a model that made all of them in six; the whole log is examined in five.

Fills a state file with records as the gateway seals them, reads it as the commands do, and prints processor time.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gateway.audit.examination import examine
from gateway.audit.reading import read_history
from gateway.codec.documents import encode_document
from gateway.routing.codec import route_view
from gateway.routing.document import CanaryRoute, RouteDocument
from gateway.state.ledger import rfc3339, seal
from gateway.state.sqlite import SqliteStore
from gateway.state.sqlite_audit import SqliteAudit
from gateway.state.store import EMPTY_HEAD, AuditRecord

RECORDS = 20_000
BEGIN_S = 1.77e9


def records(models: int) -> Iterator[AuditRecord]:
    """Give changes of the canary's weight, a model after the other."""
    first = RouteDocument("m", 1, "1", "salt", updated_at=rfc3339(BEGIN_S), updated_by="weir")
    routes = {name: replace(first, model=name) for name in (f"m{n}" for n in range(models))}
    head, digests = EMPTY_HEAD.hash, dict.fromkeys("12", "sha256:" + "a" * 64)
    for n in range(RECORDS):
        before = routes[f"m{n % models}"]
        after = replace(before, revision=before.revision + 1, canary=CanaryRoute("2", 1 + n % 9_999))
        routes[before.model] = after
        record = seal(
            AuditRecord(
                sequence=n + 1,
                id=f"{n:032x}",
                time=rfc3339(BEGIN_S + n),
                actor={"subject": "ann", "role": "operator", "method": "token"},
                action="route.set",
                resource=f"route/{before.model}",
                before=route_view(before),
                after=route_view(after),
                reason="raise it",
                request_id=f"{n:x}",
                evidence={"digests": digests},
                previous_hash=head,
                hash="",
            )
        )
        head = record.hash
        yield record


def fill(path: Path, models: int) -> None:
    """Write the records in one transaction: a commit each would take minutes."""
    SqliteStore(path).close()
    rows = ((one.sequence, one.hash, one.resource, encode_document(one)) for one in records(models))
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO audit (sequence, hash, resource, record) VALUES (?, ?, ?, ?)", rows)
    connection.close()


def main() -> None:
    """Print a line for each log."""
    for models in (10, 1):
        with tempfile.TemporaryDirectory() as folder:
            fill(path := Path(folder) / "state.db", models)
            source = SqliteAudit(path)
            begun = time.process_time()
            history = read_history("m0", source.entries())
            read = time.process_time()
            found = examine(source.entries())
            examined = time.process_time()
            source.close()
        assert len(history.intervals) == RECORDS // models + 1
        assert (history.notes, found.total) == ((), 0)
        print(f"{models:2} models: history {read - begun:.2f} s, verify {examined - read:.2f} s")


if __name__ == "__main__":
    main()
