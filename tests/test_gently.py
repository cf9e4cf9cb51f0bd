"""Work set back behind the loop: its result, its errors, and the priority that ends with it."""

import os
import sys
import threading

import pytest

from gateway.gently import NICENESS, gently


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_a_function_is_called_with_its_arguments_and_its_error_comes_back() -> None:
    assert gently(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        gently(divmod, 7, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux")
def test_only_the_thread_of_the_function_is_set_back() -> None:
    before = priority()
    assert gently(priority) == max(NICENESS, before)
    assert priority() == before
