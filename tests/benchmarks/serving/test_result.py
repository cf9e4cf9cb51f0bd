"""Lines of a campaign, written and read."""

from pathlib import Path

from benchmarks.serving.result import Failure, append, read
from tests.benchmarks.serving.results import result


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    cell, failure = result("Weir", 5.0, round_=2), Failure("mlp", "KServe", "did not start", 1)
    for line in (cell, failure):
        append(file, line)
    assert read(file) == ([cell], [failure])
