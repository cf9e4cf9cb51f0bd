"""The listener: told of commits, it notifies; a source that fails is asked again."""

import queue
import threading

from gateway.errors import StoreUnavailable
from gateway.state.hints import HintListener


class Told:
    """Hints that a test gives by hand: true for a commit, false for silence, an error for a store that is away."""

    def __init__(self) -> None:
        self.next: queue.Queue[bool | Exception] = queue.Queue()
        self.closed = threading.Event()

    def await_commit(self, timeout_s: float) -> bool:
        told = self.next.get(timeout=10.0)
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        self.closed.set()


def test_every_commit_notifies_and_silence_or_a_store_that_is_away_does_not() -> None:
    told, notified = Told(), queue.Queue[bool]()
    listener = HintListener(told, lambda: notified.put(True))
    for one in (False, StoreUnavailable("gone"), True):
        told.next.put(one)
    listener.start()
    assert notified.get(timeout=10.0)
    listener.close()
    told.next.put(True)
    assert told.closed.wait(10.0)
    assert notified.empty()
