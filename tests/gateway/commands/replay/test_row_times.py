"""The times of a table's rows: what is read, what is refused, and what is said where they run backwards."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.commands.problem import ProblemReported
from gateway.commands.replay.block import Block
from gateway.commands.replay.fitting import offer_baseline
from gateway.commands.replay.log_blocks import LogSource
from gateway.commands.replay.row_times import RowTimes, TimeOrder
from gateway.commands.replay.table_blocks import read_table_blocks
from gateway.commands.table import TableInvalid
from monitors.evidence.rows import Rows
from tests.gateway.commands.replay.material import COLUMNS, flowers, load, write_table, write_version

NOON = 1_769_860_800.0
TEXT = "2026-01-31T12:00:00"


def read(found: Sequence[Any]) -> list[float]:
    times: list[float] = RowTimes().of(found, "line {}".format).tolist()
    return times


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([NOON, int(NOON) + 1], [NOON, NOON + 1], id="numbers"),
        pytest.param(["1769860800", " 1769860800.5 "], [NOON, NOON + 0.5], id="texts-of-numbers"),
        pytest.param([f"{TEXT}Z", TEXT, "2026-01-31 14:00+02:00"], [NOON] * 3, id="zones"),
        pytest.param([f"{TEXT}.123456789Z"], [NOON + 0.123456], id="nanoseconds-of-a-text"),
        pytest.param([f"{TEXT}Z", "1769860800", 1769860800], [NOON] * 3, id="texts-and-numbers-in-one-column"),
        pytest.param(["2026-01-31"], [NOON - 43_200], id="a-day"),
        pytest.param([-5.0, "-1e9"], [-5.0, -1e9], id="before-1970"),
        pytest.param([0, 1, 2], [0.0, 1.0, 2.0], id="since-the-first-row"),
        pytest.param([20_260_131, 20_260_132], [20_260_131.0, 20_260_132.0], id="seconds-that-look-like-a-day"),
    ],
)
def test_times_are_seconds_and_texts_in_any_mixture(found: Sequence[Any], expected: list[float]) -> None:
    assert read(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        pytest.param("", "found ''", id="empty"),
        pytest.param(None, "found nothing", id="nothing"),
        pytest.param("noon", "found 'noon'", id="no-time"),
        pytest.param("31/01/2026 12:00", "found '31/01/2026 12:00'", id="another-order"),
        pytest.param("nan", "found nan", id="nan"),
        pytest.param(float("inf"), "found inf", id="inf"),
        pytest.param("1e300", "found 1e300", id="beyond-all-years"),
        pytest.param("9" * 5_000, "found 999", id="thousands-of-digits"),
        pytest.param("1769860800000", "these may be milliseconds: divide them by 1,000", id="milliseconds"),
        pytest.param(1769860800000000, "these may be microseconds: divide them by 1,000,000", id="microseconds"),
        pytest.param(1.7698608e18, "these may be nanoseconds: divide them by 1,000,000,000", id="nanoseconds"),
        pytest.param("20260131120000", "found 20260131120000", id="digits-of-day-and-time"),
    ],
)
def test_the_one_that_is_no_time_is_named_and_what_is_needed(odd: Any, complaint: str) -> None:
    with pytest.raises(TableInvalid) as refused:
        read([NOON, str(NOON), odd, NOON])
    told = str(refused.value)
    assert told.startswith("line 2: expected a time such as 2026-01-31T12:00:00Z, or Unix seconds, found ")
    assert complaint in told
    assert len(told) < 300


@pytest.mark.parametrize("first", ["20260131", 20_260_131])
def test_days_without_hyphens_are_not_taken_for_seconds(first: Any) -> None:
    with pytest.raises(TableInvalid, match=r"line 0: 20260131 may be a day or Unix seconds: write .* as 2026-01-31"):
        read([first, "20260201"])


def test_seconds_of_one_day_in_1970_are_seconds_once_others_came_before() -> None:
    times = RowTimes()
    times.of([20_260_100.0], str)
    assert times.of([20_260_131.0], str).tolist() == [20_260_131.0]


def block(times: Sequence[float], name: str = "a.csv") -> Block:
    return Block(Rows(np.zeros((len(times), 1))), np.array(times, dtype=float), lambda i: f"{name}, line {i + 2}")


def test_rows_that_are_a_little_late_are_counted_and_the_span_is_that_of_all() -> None:
    order = TimeOrder()
    blocks = [block([10.0, 12.0, 11.0]), block([5.0, 12.0, 20.0])]
    assert list(order.follow(blocks, 1.0)) == blocks
    assert (order.begin_s, order.end_s, order.late) == (5.0, 20.0, 2)


def test_a_row_that_is_hours_late_is_named_with_both_times() -> None:
    with pytest.raises(TableInvalid) as refused:
        list(TimeOrder().follow([block([NOON]), block([NOON, NOON - 7_201], "b.csv")], 1.0))
    told = "b.csv, line 3: 2026-01-31T09:59:59.000000Z is long before 2026-01-31T12:00:00.000000Z, the time of a row"
    assert str(refused.value).startswith(told)
    assert str(refused.value).endswith("sort the file by time, or mend the time that is wrong")


def test_a_tick_of_a_day_bears_rows_that_are_hours_late() -> None:
    order = TimeOrder()
    list(order.follow([block([NOON, NOON - 7_201])], 86_400.0))
    assert order.late == 1


def test_without_ticks_of_seconds_order_does_not_matter() -> None:
    order = TimeOrder()
    list(order.follow([block([NOON, 0.0])], None))
    assert (order.begin_s, order.end_s, order.late) == (0.0, NOON, 0)


def test_a_late_row_of_a_long_table_is_named_by_its_line(tmp_path: Path) -> None:
    times = [NOON + i for i in range(5_000)]
    times[4_500] = NOON - 9_000
    rows = [(*row, repr(time)) for row, time in zip(flowers(5_000, 1), times, strict=True)]
    table = write_table(tmp_path / "long.csv", rows, (*COLUMNS, "at"))
    version = load(write_version(tmp_path / "models"))
    with pytest.raises(TableInvalid, match=r"^long\.csv, line 4502: .* is long before"):
        list(TimeOrder().follow(read_table_blocks(table, version, "at"), 1.0))


def record(digest: str, at: str) -> str:
    """Return an answer as a log has it."""
    return (
        f'{{"kind":"answer","model":"iris","version":"1","digest":"{digest}","variant":"stable","flags":[],'
        '"features":{"petal_length":4.0,"petal_width":1.0,"sepal":"long"},"unseen":[],"label":"setosa",'
        f'"scores":{{"setosa":1.0,"versicolor":0.0,"virginica":0.0}},"time":"2026-01-31T{at}"}}\n'
    )


def test_a_log_without_a_zone_is_of_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    folder = write_version(tmp_path / "models")
    info = load(folder).info
    log = tmp_path / "log.jsonl"
    log.write_text(record(info.digest, "12:00:00") + record(info.digest, "12:00:00Z"))
    (found,) = LogSource(log, info).blocks()
    monkeypatch.undo()
    time.tzset()
    assert found.times_n is not None
    assert found.times_n.tolist() == [NOON, NOON]


def test_a_baseline_of_a_log_that_is_far_out_of_order_names_the_line(tmp_path: Path) -> None:
    folder = write_version(tmp_path / "models")
    digest = load(folder).info.digest
    log = tmp_path / "joined.jsonl"
    log.write_text(record(digest, "12:00:00Z") * 9_000 + record(digest, "03:00:00Z"))
    with pytest.raises((TableInvalid, ProblemReported), match=r"^joined\.jsonl, line 9001: 2026-01-31T03:00:00"):
        offer_baseline(log, folder, "stable", 50_000, 5_000.0)
