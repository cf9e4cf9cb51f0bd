from benchmarks.detection.streams import synthetic_streams
from benchmarks.detection.week import measure


def test_a_page_a_week_takes_at_most_twice_as_long_as_one_in_10_000_rows() -> None:
    found = measure(next(stream for stream in synthetic_streams() if stream.name == "spread"), 6)
    assert (found.missed, found.false_pages) == (0, 0)
    assert found.median_often < found.median_week <= 2 * found.median_often
