"""Checkpoints that the gateway writes by itself: when, over what, and what it refuses to sign."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.audit.checkpoint import open_checkpoint
from gateway.audit.checkpointing import Checkpointer, CheckpointsRefused
from gateway.audit.examination import examine
from gateway.audit.signing_key import SigningKey, make_key, read_key
from gateway.state.sqlite import SqliteStore
from gateway.state.sqlite_audit import SqliteAudit
from tests.serving import HandClock
from tests.state.ground import change

EDIT = "UPDATE audit SET record = CAST(replace(CAST(record AS TEXT), 'version 1', 'version 9') AS BLOB)"


OVERDUE = "weir_audit_checkpoint_overdue_seconds"


def gauges_of(checkpointer: Checkpointer) -> dict[str, float]:
    return {name: value for name, _, value in checkpointer.gauges()}


class Ground:
    """A store, a folder, a key and a clock."""

    def __init__(self, root: Path) -> None:
        self.path, self.folder, self.clock = root / "state.db", root / "kept", HandClock()
        make_key(root / "key.pem")
        self.key: SigningKey = read_key(root / "key.pem", "weir")
        self.store = SqliteStore(self.path)

    def write(self, records: int) -> None:
        for number in range(records):
            change(self.store, "route/m", f"version {number}")

    def checkpointer(self, most_records: int = 1_000) -> Checkpointer:
        return Checkpointer(self.store, self.key, self.folder, self.clock, most_records=most_records, longest_s=60.0)

    def edit(self, statement: str) -> None:
        with sqlite3.connect(self.path) as connection:
            connection.execute(statement)
        connection.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.store.close()


def test_a_checkpoint_is_written_a_minute_after_the_first_new_record_and_agrees_with_the_log(ground: Ground) -> None:
    checkpointer = ground.checkpointer()
    assert checkpointer.tick() is None
    ground.write(3)
    assert checkpointer.tick() is None
    assert gauges_of(checkpointer) == {OVERDUE: 0.0}
    ground.clock.now_s += 60
    path = checkpointer.tick()
    assert path == ground.folder / "000000000003.checkpoint"
    assert gauges_of(checkpointer) == {OVERDUE: 0.0, "weir_audit_checkpoint_timestamp_seconds": ground.clock.now_s}
    kept = open_checkpoint(path.read_bytes(), ground.key.verifier, str(path))
    assert (kept.size, kept.key, kept.is_signed) == (3, "shared", True)
    source = SqliteAudit(ground.path)
    found = examine(source.entries(), [kept])
    source.close()
    assert found.total == 0
    ground.clock.now_s += 600
    assert checkpointer.tick() is None


def test_a_checkpoint_that_cannot_be_written_is_overdue_from_when_it_was_due(ground: Ground) -> None:
    checkpointer = ground.checkpointer()
    ground.write(1)
    checkpointer.tick()
    ground.folder.rmdir()
    ground.folder.touch()
    ground.clock.now_s += 60 + 300
    with pytest.raises(OSError, match="checkpoint"):
        checkpointer.tick()
    assert gauges_of(checkpointer) == {OVERDUE: 300.0}
    ground.folder.unlink()
    ground.folder.mkdir()
    assert checkpointer.tick() is not None
    assert gauges_of(checkpointer)[OVERDUE] == 0.0


def test_a_log_that_does_not_follow_leaves_its_checkpoint_overdue_for_good(ground: Ground) -> None:
    checkpointer = ground.checkpointer(most_records=1)
    ground.write(2)
    assert checkpointer.tick() is not None
    ground.edit("DELETE FROM audit WHERE sequence = 2")
    with pytest.raises(CheckpointsRefused):
        checkpointer.tick()
    ground.clock.now_s += 900
    assert gauges_of(checkpointer)[OVERDUE] == 900.0


def test_many_records_do_not_wait_for_the_minute(ground: Ground) -> None:
    checkpointer = ground.checkpointer(most_records=5)
    ground.write(4)
    assert checkpointer.tick() is None
    ground.write(1)
    assert checkpointer.tick() is not None


def test_after_a_restart_what_is_covered_is_not_signed_again_and_what_is_new_is(ground: Ground) -> None:
    ground.write(3)
    assert ground.checkpointer(most_records=1).tick() is not None
    again = ground.checkpointer(most_records=1)
    assert again.tick() is None
    ground.write(1)
    assert again.tick() == ground.folder / "000000000004.checkpoint"


def rewrite(ground: Ground) -> None:
    ground.edit("DELETE FROM audit")
    ground.write(3)


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        pytest.param(lambda g: g.edit("DELETE FROM audit WHERE sequence = 3"), "records were cut off", id="cut"),
        pytest.param(lambda g: g.edit("DELETE FROM audit WHERE sequence = 2"), "is not whole", id="deleted"),
        pytest.param(lambda g: g.edit(EDIT), "is not whole", id="edited"),
        pytest.param(lambda g: g.edit("UPDATE audit SET record = x'00'"), "is not whole", id="unreadable"),
        pytest.param(rewrite, "not those of the newest checkpoint", id="anew"),
    ],
)
def test_a_log_that_does_not_follow_from_the_newest_checkpoint_is_not_signed(
    ground: Ground, tamper: Callable[[Ground], object], told: str
) -> None:
    ground.write(3)
    ground.checkpointer(most_records=1).tick()
    tamper(ground)
    with pytest.raises(CheckpointsRefused, match=told):
        ground.checkpointer(most_records=1).tick()
    assert [path.name for path in ground.folder.iterdir()] == ["000000000003.checkpoint"]


def test_records_that_are_cut_off_while_it_runs_stop_the_signing(ground: Ground) -> None:
    checkpointer = ground.checkpointer()
    ground.write(3)
    checkpointer.tick()
    ground.edit("DELETE FROM audit WHERE sequence = 3")
    with pytest.raises(CheckpointsRefused, match="there were 3 records, and the log has 2"):
        checkpointer.tick()


def test_a_checkpoint_of_another_key_in_the_folder_is_not_taken_for_ones_own(ground: Ground, tmp_path: Path) -> None:
    ground.write(1)
    ground.checkpointer(most_records=1).tick()
    make_key(tmp_path / "other.pem")
    ground.key = read_key(tmp_path / "other.pem", "weir")
    with pytest.raises(CheckpointsRefused, match="a signature by"):
        ground.checkpointer(most_records=1).tick()
