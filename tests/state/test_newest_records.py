"""The newest records, read upwards."""

from collections.abc import Sequence

import pytest

from gateway.state.newest_records import newest_records


class Log:
    """Sequences of records, read as the API reads them."""

    def __init__(self, sequences: Sequence[int], count: int) -> None:
        self.sequences, self.count, self.calls = sequences, count, 0

    def read(self, after: int) -> list[int]:
        self.calls += 1
        return [sequence for sequence in self.sequences if sequence > after][: self.count]


@pytest.mark.parametrize("total", [0, 1, 2, 3, 4, 50])
@pytest.mark.parametrize("gap", [1, 7])
@pytest.mark.parametrize("count", [1, 3])
def test_the_newest_are_found_in_order(total: int, gap: int, count: int) -> None:
    sequences = list(range(gap, gap * total + 1, gap))
    assert newest_records(Log(sequences, count).read, count) == sequences[-count:]


def test_a_long_log_takes_few_calls() -> None:
    log = Log(range(1, 10_001), 20)
    assert newest_records(log.read, 20) == list(range(9_981, 10_001))
    assert log.calls < 30
