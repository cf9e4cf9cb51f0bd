import gzip
import logging
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.prediction_log.folder import LogFolder
from gateway.prediction_log.reading import Selection, find_request, read_records
from tests.gateway.prediction_log.material import NOON, Ground, answers, masked


def ids_in(path: Path) -> list[str]:
    return [record["request_id"] for _, record in read_records(path, Selection())]


def test_records_are_whole_lines_at_once(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "log")
    ground.writer.take(answers("a", "b"))
    ground.writer.take(masked("c"))
    assert [line["request_id"] for line in ground.lines()] == ["a", "b", "c"]
    assert ground.writer.written == {"answer": 2, "failure": 1}
    assert ground.writer.written_bytes == sum(path.stat().st_size for path in (tmp_path / "log").glob("*.jsonl"))


def test_files_and_folder_are_their_owners_only(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "deep" / "log")
    ground.writer.take(answers("a"))
    ground.writer.close()
    assert stat.S_IMODE(ground.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in ground.path.iterdir()} == {0o600}


def test_a_file_that_is_old_is_closed_and_packed(tmp_path: Path) -> None:
    ground = Ground(tmp_path, rotate_s=60.0)
    ground.writer.take(answers("a"))
    ground.clock.now_s += 60.0
    ground.writer.tick()
    assert ground.names() == [
        "predictions-20260131T120000.000000Z.index",
        "predictions-20260131T120000.000000Z.jsonl.gz",
    ]
    ground.writer.take(answers("b"))
    assert ids_in(tmp_path) == ["a", "b"]
    assert b'"request_id":"a"' in gzip.decompress(next(tmp_path.glob("*.gz")).read_bytes())


def test_a_file_that_is_large_is_closed(tmp_path: Path) -> None:
    ground = Ground(tmp_path, file_mb=1)
    for number in range(8):
        ground.clock.now_s += 1.0
        ground.writer.take(answers(*(f"{number}-{i}" for i in range(512))))
    assert len(list(tmp_path.glob("*.gz"))) == 1
    assert len(ids_in(tmp_path)) == 8 * 512
    assert len(find_request(tmp_path, "0-511")) == len(find_request(tmp_path, "7-0")) == 1


def test_without_packing_a_closed_file_stays_as_it_is(tmp_path: Path) -> None:
    ground = Ground(tmp_path, compress="none")
    ground.writer.take(answers("a", "b"))
    ground.writer.close()
    assert [name.rpartition(".")[2] for name in ground.names()] == ["index", "jsonl"]
    assert len(find_request(tmp_path, "b")) == 1


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    ground = Ground(tmp_path, keep_days=1.0)
    ground.writer.take(answers("old"))
    ground.writer.close()
    for path in tmp_path.glob("*.gz"):
        os.utime(path, (NOON, NOON))
    ground.clock.now_s += 86_401.0
    ground.writer.take(answers("new"))
    ground.writer.tick()
    assert ids_in(tmp_path) == ["new"]


def test_the_oldest_go_when_it_is_too_much(tmp_path: Path) -> None:
    ground = Ground(tmp_path, compress="none", file_mb=1, keep_mb=3)
    for number in range(30):
        ground.clock.now_s += 1.0
        ground.writer.take(answers(*(f"{number}-{i}" for i in range(512))))
    left = ids_in(tmp_path)
    assert left[-1] == "29-511"
    assert "0-0" not in left
    assert len(left) > 512
    assert LogFolder(tmp_path).size_bytes() <= 3 << 20


def test_foreign_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "predictions-notes.jsonl"
    foreign.write_text("mine")
    os.utime(foreign, (0, 0))
    ground = Ground(tmp_path, keep_days=0.001)
    ground.writer.take(answers("a"))
    ground.writer.close()
    assert foreign.read_text() == "mine"


def test_a_torn_line_is_passed_over_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    (plain,) = tmp_path.glob("*.jsonl")
    with plain.open("ab") as file:  # as a writer leaves it that is killed in the middle
        file.write(b'{"kind":"answer","request_id":"torn"')
    assert (ids_in(tmp_path), find_request(tmp_path, "torn")) == (["a"], [])
    ground.folder.release()  # the lock of a killed process is gone
    ground.clock.now_s += 1.0
    after = ground.new_writer()
    after.take(answers("b"))
    after.tick()
    assert len(list(tmp_path.glob("*.gz"))) == 1
    assert (ids_in(tmp_path), find_request(tmp_path, "torn")) == (["a", "b"], [])
    assert len(find_request(tmp_path, "a")) == 1


def test_what_a_killed_writer_had_half_packed_is_packed_again(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    ground.folder.release()
    (plain,) = tmp_path.glob("*.jsonl")
    plain.with_suffix(".jsonl.gz").write_bytes(b"")  # named already, the plain file not yet deleted
    plain.with_suffix(".jsonl.gz.new").write_bytes(b"half")
    assert ids_in(tmp_path) == ["a"]
    after = ground.new_writer()
    after.tick()
    assert [name.partition(".")[2] for name in ground.names()] == ["000000Z.index", "000000Z.jsonl.gz"]
    assert ids_in(tmp_path) == ["a"]


def test_a_file_that_somebody_deleted_is_begun_anew(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    next(tmp_path.glob("*.jsonl")).unlink()
    ground.clock.now_s += 1.0
    ground.writer.take(answers("b"))
    assert ids_in(tmp_path) == ["b"]


def test_a_second_writer_writes_nothing_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    second = ground.new_writer()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            second.take(answers("b"))
    assert (second.dropped, ids_in(tmp_path)) == ({"disk": 3}, ["a"])
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    ground.writer.close()
    ground.clock.now_s += 1.0
    second.take(answers("b"))
    assert ids_in(tmp_path) == ["a", "b"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_folder_that_cannot_be_made_costs_records_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ground = Ground(tmp_path / "file" / "log")
    ground.writer.take(answers("a", "b"))
    ground.writer.tick()
    ground.writer.close()
    assert ground.writer.dropped == {"disk": 2}


def test_an_answer_of_an_unknown_version_is_counted(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    seen = answers("a", "b")
    ground.writer.take(replace(seen, key=replace(seen.key, version="9")))
    assert ground.writer.dropped == {"unknown_version": 2}


FULL_DISK = """
import resource, sys
from pathlib import Path
from gateway.prediction_log.reading import Selection, read_records
from tests.gateway.prediction_log.material import Ground, answers
ground = Ground(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
for number in range(20):
    ground.writer.take(answers(f"{number}-0", f"{number}-1"))
full = dict(ground.writer.written), dict(ground.writer.dropped)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ground.writer.take(answers("after"))
written, dropped = full[0]["answer"], full[1]["disk"]
assert written + dropped == 40 and dropped > 2 and written % 2 == 0, full
(plain,) = Path(sys.argv[1]).glob("*.jsonl")
lines = plain.read_bytes().splitlines(keepends=True)
assert len(lines) == written + 1 and all(line.endswith(b"}\\n") for line in lines)
assert [record["request_id"] for _, record in read_records(Path(sys.argv[1]), Selection())][-1] == "after"
"""


def test_a_full_disk_drops_whole_blocks_and_writing_goes_on_when_there_is_room(tmp_path: Path, repo_root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=repo_root, capture_output=True, text=True, timeout=60.0
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written") == 1
