from benchmarks.detection.contestants import WEIR
from benchmarks.detection.delay import measure
from benchmarks.detection.streams import synthetic_streams
from benchmarks.detection.week import compared


def test_a_page_a_week_takes_at_most_twice_as_long_as_one_in_10_000_rows() -> None:
    spread = next(stream for stream in synthetic_streams() if stream.name == "spread")
    found = compared(list(measure(spread, 4, (WEIR,))))
    assert (found.missed, found.false_pages, found.null_rows) == (0, 0, 48_000)
    assert found.median_often < found.median_week <= 2 * found.median_often
