"""Rows for the first runs: different where the graph takes that, alike where it does not, and never too many."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from gateway.engine.session import RunFailed
from gateway.engine.synthetic_rows import varied_rows
from gateway.engine.timing import Feeds


def typical(n: int) -> Feeds:
    return {
        "size": np.full((n, 2), 1000.0, np.float32),
        "code": np.full((n, 1), 3, np.int64),
        "name": np.full((n, 1), "a", object),
    }


def fails_where(is_bad: Callable[[npt.NDArray[np.float32]], bool], *, terminated: bool = False) -> Callable[..., None]:
    def run(feeds: Feeds, n: int) -> None:
        assert all(len(feed) == n for feed in feeds.values())
        if is_bad(feeds["size"]):
            raise RunFailed("no", terminated=terminated)

    return run


def test_floats_differ_by_about_their_size_and_all_else_stays() -> None:
    feeds = varied_rows(typical, fails_where(lambda _: False))(40)
    assert [feed.dtype for feed in feeds.values()] == [np.float32, np.int64, object]
    assert len(np.unique(feeds["size"])) == 80
    assert 300 < feeds["size"].std() < 3000
    assert set(feeds["code"].ravel()) == {3}
    assert set(feeds["name"].ravel()) == {"a"}


def test_rows_differ_from_call_to_call() -> None:
    feeds_of = varied_rows(typical, fails_where(lambda _: False))
    assert len({float(feeds_of(1)["size"][0, 0]) for _ in range(20)}) > 10


def test_more_rows_than_there_are_begin_again() -> None:
    feeds = varied_rows(typical, fails_where(lambda _: False))(1000)
    assert feeds["size"].shape == (1000, 2)
    assert len(np.unique(feeds["size"][:, 0])) == 256


def test_rows_stay_alike_where_the_graph_takes_no_others() -> None:
    feeds_of = varied_rows(typical, fails_where(lambda x_nd: bool((x_nd != 1000).any())))
    assert set(feeds_of(50)["size"].ravel()) == {1000}


def test_only_rows_that_came_through_are_given() -> None:
    """One row in a hundred or so fails, which is found in time or never asked."""
    run = fails_where(lambda x_nd: bool((x_nd > 3300).any()))
    feeds = varied_rows(typical, run)(1000)
    run(feeds, 1000)


def test_wide_rows_are_few() -> None:
    def wide(n: int) -> Feeds:
        return {"size": np.zeros((n, 1 << 19), np.float32)}

    assert len(np.unique(varied_rows(wide, fails_where(lambda _: False))(8)["size"][:, 0])) == 2


def test_half_floats_that_overflow_are_rows_too() -> None:
    def large(n: int) -> Feeds:
        return {"size": np.full((n, 1), 60_000, np.float16)}

    assert np.isinf(varied_rows(large, fails_where(lambda _: False))(200)["size"]).any()


def test_a_terminated_run_ends_the_trying() -> None:
    with pytest.raises(RunFailed):
        varied_rows(typical, fails_where(lambda _: True, terminated=True))
