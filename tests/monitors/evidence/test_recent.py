import numpy as np

from monitors.evidence.recent import RecentCounts

REFERENCE = np.array([500, 300, 200])


def summary(rng: np.random.Generator, law: tuple[float, ...]) -> np.ndarray:
    return np.asarray(rng.multinomial(10, law))[None]


def test_nothing_is_lost_while_there_is_room() -> None:
    recent, total = RecentCounts(), np.zeros(3, dtype=np.int64)
    rng = np.random.default_rng(1)
    for _ in range(300):
        counts = summary(rng, (0.05, 0.05, 0.9))
        recent.add(counts)
        total += counts[0]
    assert np.array_equal(recent.since_change(0, REFERENCE), total)


def test_the_rows_before_a_change_are_left_out() -> None:
    recent, rng = RecentCounts(), np.random.default_rng(2)
    for _ in range(2000):
        recent.add(summary(rng, (0.5, 0.3, 0.2)))
    for _ in range(20):
        recent.add(summary(rng, (0.1, 0.1, 0.8)))
    found = recent.since_change(0, REFERENCE)
    assert 150 <= found.sum() <= 250
    assert found[2] / found.sum() > 0.7


def test_without_rows_there_are_no_counts() -> None:
    assert not RecentCounts().since_change(0, REFERENCE).any()
