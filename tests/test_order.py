"""The order of files: nothing is lost, files stay whole, what waits is spread and not last."""

from dataclasses import dataclass
from itertools import pairwise

from tests.order import mixed


@dataclass(frozen=True)
class Named:
    nodeid: str


WAITING = [Named(f"tests/end_to_end/test_{name}.py::test_{i}") for name in "abcd" for i in range(3)]
OTHERS = [Named(f"tests/http/test_{n:02}.py::test_{i}") for n in range(40) for i in range(2)]


def files(tests: list[Named]) -> list[str]:
    return list(dict.fromkeys(test.nodeid.partition("::")[0] for test in tests))


def test_every_test_is_there_once_and_files_stay_whole() -> None:
    found = mixed(WAITING + OTHERS)
    assert sorted(test.nodeid for test in found) == sorted(test.nodeid for test in WAITING + OTHERS)
    for file in files(found):
        own = [test for test in WAITING + OTHERS if test.nodeid.startswith(file)]
        at = found.index(own[0])
        assert found[at : at + len(own)] == own


def test_files_that_wait_are_apart_and_none_is_among_the_last_fifth() -> None:
    order = files(mixed(WAITING + OTHERS))
    at = [order.index(file) for file in files(WAITING)]
    assert min(later - earlier for earlier, later in pairwise(at)) > 6
    assert at[-1] < 0.8 * len(order)


def test_one_kind_alone_keeps_its_order() -> None:
    assert mixed(OTHERS) == OTHERS
    assert mixed(WAITING) == WAITING
    assert mixed([]) == []
