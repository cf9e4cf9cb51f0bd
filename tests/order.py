"""In which order files of tests are handed to several processes."""

from __future__ import annotations

from itertools import groupby
from typing import Protocol, TypeVar

__all__ = ["mixed"]

_WAITING = ("tests/end_to_end/", "tests/examples/", "tests/fuzz/")
"""Folders whose tests start processes and wait for them, or take many seconds a file."""
_UNTIL = 0.8


class _Test(Protocol):
    @property
    def nodeid(self) -> str: ...


T = TypeVar("T", bound=_Test)


def mixed(tests: list[T]) -> list[T]:
    """Return tests by file, those files that wait spread evenly among the others.

    Two files that wait leave a processor idle, and two that compute have one each: neighbours of either kind share it.
    None that waits is among the last fifth, so that no process is alone with a long one at the end.

    Parameters
    ----------
    tests
        What has a ``nodeid``; tests of a file next to each other.
    """
    files = [list(found) for _, found in groupby(tests, key=lambda test: test.nodeid.partition("::")[0])]
    waiting = [found for found in files if found[0].nodeid.startswith(_WAITING)]
    others = [found for found in files if not found[0].nodeid.startswith(_WAITING)]
    placed = [(_UNTIL * (i + 0.5) / len(waiting), found) for i, found in enumerate(waiting)]
    placed += [((i + 0.5) / len(others), found) for i, found in enumerate(others)]
    return [test for _, found in sorted(placed, key=lambda one: one[0]) for test in found]
