"""Segments against none, in small."""

from benchmarks.detection.segments import delay, false_pages


def test_what_some_rows_do_is_found_sooner_with_segments_and_unchanged_rows_are_silent() -> None:
    found = delay("the few", 0.3, 1.0, runs=2)
    assert (found.plain_missed, found.segmented_missed) == (0, 0)
    assert found.plain is not None
    assert found.segmented is not None
    assert found.segmented < 0.7 * found.plain
    assert false_pages(17, references=1, live_rows=5_000).pages == 0
