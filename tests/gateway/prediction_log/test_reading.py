import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.prediction_log.index import FileIndex, IndexInvalid
from gateway.prediction_log.reading import LONGEST_LINE_BYTES, LogRefused, Selection, find_request, read_records
from tests.gateway.prediction_log.material import NOON, Ground, answers, masked


def chosen(path: Path, **choices: str) -> list[str]:
    return [record["request_id"] for _, record in read_records(path, Selection(**choices))]


def test_a_request_is_found_in_closed_and_open_files_in_the_order_of_time(tmp_path: Path) -> None:
    ground = Ground(tmp_path, rotate_s=10.0)
    ground.writer.take(answers("x", "y", at=NOON + 1.0))
    ground.clock.now_s += 10.0
    ground.writer.tick()
    ground.writer.take(masked("x", at=NOON))
    assert [record["kind"] for record in find_request(tmp_path, "x")] == ["failure", "answer"]
    assert find_request(tmp_path, "z") == []


@pytest.mark.parametrize("request_id", ["", "*", '"', "x\\", "../../etc/passwd", "é"])
def test_any_text_may_be_looked_for(tmp_path: Path, request_id: str) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("x"))
    assert find_request(tmp_path, request_id) == []
    ground.writer.take(answers(request_id))
    assert len(find_request(tmp_path, request_id)) == 1


def test_a_value_that_looks_like_a_request_id_is_not_one(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers('a","request_id":"b'))
    assert find_request(tmp_path, "b") == []


def test_records_are_chosen_by_model_and_time(tmp_path: Path) -> None:
    ground = Ground(tmp_path, rotate_s=10.0)
    ground.writer.take(answers("a", at=NOON))
    ground.clock.now_s += 10.0
    ground.writer.tick()
    ground.writer.take(answers("b", at=NOON + 10.0))
    assert chosen(tmp_path, model="m") == ["a", "b"]
    assert chosen(tmp_path, model="n") == []
    assert chosen(tmp_path, begin="2026-01-31T12:00:00.000001Z") == ["b"]
    assert chosen(tmp_path, end="2026-01-31T12:00:10.000000Z") == ["a"]


def test_no_folder_holds_nothing(tmp_path: Path) -> None:
    assert (find_request(tmp_path / "none", "a"), chosen(tmp_path / "none")) == ([], [])


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"weirlog1" + b"\xff" * 200])
def test_a_damaged_index_costs_time_only(tmp_path: Path, damage: bytes) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    ground.writer.close()
    next(tmp_path.glob("*.index")).write_bytes(damage)
    assert (len(find_request(tmp_path, "a")), chosen(tmp_path)) == (1, ["a"])


def test_a_damaged_packed_file_gives_what_it_has(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.writer.take(answers("a"))
    ground.writer.close()
    packed = next(tmp_path.glob("*.gz"))
    packed.write_bytes(packed.read_bytes()[:20] + b"\0\0")
    assert (find_request(tmp_path, "a"), chosen(tmp_path)) == ([], [])


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"request_id":"a","time":""}\n')
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "predictions-20260131T120000.000000Z.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic link"):
        find_request(tmp_path / "log", "a")


def test_an_index_comes_back_as_it_was() -> None:
    index = FileIndex.of(True, ("a" * 27, "b" * 27), [0, 5, 9], [(7, 0), (3, 1), (7, 1)])
    again = FileIndex.from_bytes(index.to_bytes())
    assert (again.first, again.last, again.is_packed) == ("a" * 27, "b" * 27, True)
    assert again.hashes_n.tolist() == [3, 7, 7]
    with pytest.raises(IndexInvalid):
        FileIndex.from_bytes(index.to_bytes()[:-1])


def test_one_id_among_many_costs_one_block_and_not_the_file(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    for number in range(60):
        ground.writer.take(answers(*(f"{number}-{i}" for i in range(512))))
    ground.writer.close()
    begun = time.process_time()
    assert len(find_request(tmp_path, "31-7")) == 1
    found_s, begun = time.process_time() - begun, time.process_time()
    assert len(chosen(tmp_path)) == 60 * 512
    assert found_s < (time.process_time() - begun) / 5.0


LONG_LINE = b'{"request_id":"x"' + b" " * LONGEST_LINE_BYTES


def reading(path: Path) -> object:
    return list(read_records(path, Selection()))


def finding(path: Path) -> object:
    return find_request(path, "x")


@pytest.mark.parametrize("look", [pytest.param(reading, id="reading"), pytest.param(finding, id="finding")])
@pytest.mark.parametrize("packed", [pytest.param(False, id="plain"), pytest.param(True, id="packed")])
def test_a_line_beyond_all_bounds_is_refused_by_name(
    look: Callable[[Path], object], packed: bool, tmp_path: Path
) -> None:
    name = "predictions-20260131T120000.000000Z.jsonl" + (".gz" if packed else "")
    text = LONG_LINE + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(text, 1) if packed else text)
    with pytest.raises(LogRefused, match=f"{name}, .* has more than 16,777,216 bytes"):
        look(tmp_path)
