import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.commands.replay.block import joined
from gateway.commands.replay.log_blocks import LogSource
from gateway.commands.table import TableInvalid
from gateway.prediction_log.export import write_lines
from gateway.prediction_log.flat import write_flat
from gateway.prediction_log.reading import LONGEST_LINE_BYTES, Selection, read_records
from monitors.records import Observation
from tests.gateway.prediction_log.material import INFO, NOON, Ground, answers, masked


def observed(at: float, n: int = 3, values: tuple[float, float, float] = (1.5, 3.0, 1.0)) -> Observation:
    ids = [f"r-{at}-{i}" for i in range(n)]
    return replace(answers(*ids, at=at, values=values), flags_n=np.zeros(n, np.uint16))


def logged(path: Path, **settings: Any) -> Path:
    ground = Ground(path, **settings)
    ground.writer.take(masked("r-0"))
    ground.writer.take(observed(NOON + 2.0, values=(np.nan, 4.0, -1.0)))
    ground.writer.take(observed(NOON + 1.5))
    ground.writer.take(answers("fallback", at=NOON))
    ground.writer.close()
    return path


def test_rows_are_those_that_were_observed_in_the_order_of_their_times(tmp_path: Path) -> None:
    source = LogSource(logged(tmp_path / "log"), INFO)
    (block,) = source.blocks()
    assert np.array_equal(block.rows.values_nd[:3], np.tile([1.5, 3.0, 1.0], (3, 1)))
    assert np.array_equal(block.rows.values_nd[3:], np.tile([np.nan, 4.0, -1.0], (3, 1)), equal_nan=True)
    assert block.rows.scores_nk is not None
    assert block.rows.scores_nk.tolist() == [[0.25, 0.75]] * 6
    assert block.rows.labels_n is not None
    assert block.rows.labels_n.tolist() == [1] * 6
    assert block.times_n is not None
    assert block.times_n.tolist() == [NOON + 1.5] * 3 + [NOON + 2.0] * 3


def test_failures_and_answers_in_place_of_a_canary_are_passed_over(tmp_path: Path) -> None:
    source = LogSource(logged(tmp_path / "log"), INFO)
    assert len(joined(list(source.blocks()))) == 6
    assert source.others == 2


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_exported_lines_are_the_same_log(name: str, tmp_path: Path) -> None:
    folder = logged(tmp_path / "log")
    target = tmp_path / name
    with target.open("wb") as file:
        write_lines(folder, Selection(), file)
    if name.endswith("gz"):
        target.write_bytes(gzip.compress(target.read_bytes()))
    assert np.array_equal(
        joined(list(LogSource(target, INFO).blocks())).values_nd,
        joined(list(LogSource(folder, INFO).blocks())).values_nd,
        equal_nan=True,
    )


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"redact": ("width",)}, "has no feature 'width': it was redacted", id="redacted"),
        pytest.param({"hash": ("colour",)}, "only hashes of feature 'colour'", id="hashed"),
    ],
)
def test_features_that_the_log_does_not_keep_are_named(
    settings: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(TableInvalid, match=complaint):
        list(LogSource(logged(tmp_path / "log", **settings), INFO).blocks())


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text('{"kind": "failure"}\n{"torn\n')
    with pytest.raises(TableInvalid, match=r"out\.jsonl, line 2: no record"):
        list(LogSource(tmp_path / "out.jsonl", INFO).blocks())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(
            {"features": {"width": 1.0, "count": 1, "colour": "blue"}}, "feature 'colour' is 'blue'", id="cat"
        ),
        pytest.param({"features": {"width": "x", "count": 1, "colour": None}}, "feature 'width' is 'x'", id="text"),
        pytest.param({"scores": {"good": 1.0}}, "scores or time", id="scores"),
        pytest.param({"time": "noon"}, "scores or time", id="time"),
        pytest.param({"time": 10**30}, "scores or time", id="a-time-that-is-a-number"),
        pytest.param({"scores": [[1.0], 2.0]}, "scores or time", id="nested-scores"),
        pytest.param({"scores": [1.0, 0.0, 0.0]}, "scores or time", id="a-score-too-many"),
        pytest.param({"scores": ["a", "b"]}, "scores or time", id="scores-that-are-words"),
        pytest.param({"features": 5}, "the log has no feature", id="features-that-are-none"),
        pytest.param(
            {"features": {"width": 10**400, "count": 1, "colour": None}}, "feature 'width' is 1000", id="a-huge-number"
        ),
        pytest.param(
            {"features": {"width": [[1.0]], "count": 1, "colour": None}}, r"feature 'width' is \[\[1", id="nested-value"
        ),
        pytest.param({"flags": 5, "scores": None}, "scores or time", id="flags-that-are-none"),
    ],
)
def test_a_record_that_does_not_fit_the_version_is_named(
    change: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    folder = logged(tmp_path / "log")
    record = next(record for _, record in read_records(folder, Selection()) if record["kind"] == "answer")
    (tmp_path / "out.jsonl").write_text(json.dumps({**record, "flags": [], **change}) + "\n")
    with pytest.raises(TableInvalid, match=f"line 1: {complaint}"):
        list(LogSource(tmp_path / "out.jsonl", INFO).blocks())


def test_a_classifier_that_answers_labels_alone_has_a_log_as_well(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "log")
    labels = replace(observed(NOON), scores_nk=np.zeros((3, 0)))
    ground.writer.take(labels)
    ground.writer.close()
    with (tmp_path / "log.parquet").open("wb") as file:
        write_flat(ground.path, Selection(), file)
    for path in (ground.path, tmp_path / "log.parquet"):
        (block,) = LogSource(path, INFO).blocks()
        assert (block.rows.scores_nk is not None, block.rows.answers()[1].tolist()) == (True, [1, 1, 1])
        assert block.rows.answers()[0].shape == (3, 0)


def test_answers_with_and_without_scores_are_not_of_one_version(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "log")
    ground.writer.take(observed(NOON))
    ground.writer.take(replace(observed(NOON + 1.0), scores_nk=np.zeros((3, 0))))
    ground.writer.close()
    with pytest.raises(TableInvalid, match="scores or time are not those of an answer"):
        list(LogSource(ground.path, INFO).blocks())


def test_a_log_without_the_version_says_so(tmp_path: Path) -> None:
    other = replace(INFO, digest="sha256:cd")
    with pytest.raises(TableInvalid, match="no answer of m version 1 as stable; 8 records are of others"):
        list(LogSource(logged(tmp_path / "log"), other).blocks())


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "out.jsonl.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(b" " * (LONGEST_LINE_BYTES + 2))
    with pytest.raises(TableInvalid, match="line 1 has more than 16,777,216 bytes"):
        list(LogSource(bomb, INFO).blocks())


def test_a_line_without_an_end_in_a_folder_is_refused_as_in_a_file(tmp_path: Path) -> None:
    name = "predictions-20260131T120000.000000Z.jsonl"
    (tmp_path / name).write_bytes(b" " * (LONGEST_LINE_BYTES + 2))
    with pytest.raises(TableInvalid, match=f"{name}, line 1 has more than 16,777,216 bytes"):
        list(LogSource(tmp_path, INFO).blocks())


def test_nesting_without_end_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_bytes(b'{"kind": ' + b"[" * 100_000 + b"\n")
    with pytest.raises(TableInvalid, match="line 1: no record"):
        list(LogSource(tmp_path / "out.jsonl", INFO).blocks())
