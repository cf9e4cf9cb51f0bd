"""Hints that the state store has changed: they make a change fast, and nothing depends on them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from gateway.errors import StoreUnavailable

__all__ = ["HintListener", "Hints"]

_SILENCE_S = 30.0
_PAUSE_S = 1.0
_log = logging.getLogger("weir.state")


class Hints(Protocol):
    """Where commits are told of."""

    def await_commit(self, timeout_s: float) -> bool:
        """Wait until a commit is told of, at most so long; raise ``StoreUnavailable``."""

    def close(self) -> None:
        """Release the connection."""


class HintListener:
    """Calls ``notify``, in a thread of its own, for every commit that it is told of.

    Whoever is notified looks at the store; he looks from time to time without it too, so that a lost hint costs no
    more than the time to the next look.
    """

    def __init__(self, hints: Hints, notify: Callable[[], object]) -> None:
        self._hints, self._notify = hints, notify
        self._closing = threading.Event()
        self._is_heard = True
        self._thread = threading.Thread(target=self._listen, name="weir-hints", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Notify no more; the thread ends with the next hint, or with the process."""
        self._closing.set()

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                is_told = self._hints.await_commit(_SILENCE_S)
                self._is_heard = True
            except StoreUnavailable as error:
                if self._is_heard:
                    _log.warning("no hints of changes come, which are seen at the next look instead: %s", error)
                self._is_heard = False
                self._closing.wait(_PAUSE_S)
                continue
            if is_told and not self._closing.is_set():
                self._notify()
        self._hints.close()
