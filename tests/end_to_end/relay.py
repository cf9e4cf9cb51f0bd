"""A wire that can be cut: passes TCP connections on, breaks them all, or keeps one message back until it is late."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

__all__ = ["Held", "Relay"]

_BYTES = 65_536
_LATEST_S = 30.0


class Held:
    """A message on its way to the server that has not arrived, and what the server says when it does."""

    def __init__(self, *words: bytes) -> None:
        self._words = words
        self.caught, self._let_go, self._answered = threading.Event(), threading.Event(), threading.Event()
        self.answer = b""

    def is_in(self, message: bytes) -> bool:
        """Return whether a message has all the words."""
        return all(word in message for word in self._words)

    def keep(self) -> None:
        """Hold the thread that would pass the message on."""
        self.caught.set()
        self._let_go.wait(_LATEST_S)

    def take_answer(self, answer: bytes) -> None:
        """Note what the server said first after the message had arrived."""
        if self._let_go.is_set() and not self._answered.is_set():
            self.answer = answer
            self._answered.set()

    def let_go(self) -> bytes:
        """Let the message arrive, and return the server's answer."""
        self._let_go.set()
        assert self._answered.wait(_LATEST_S), "the server did not answer the late message"
        return self.answer


class Relay:
    """Listens on a port of its own and passes every connection on to ``port``."""

    def __init__(self, port: int) -> None:
        self._target, self._held = port, list[Held]()
        self._lock, self._is_cut, self._is_closed = threading.Lock(), False, False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, and each new one at once."""
        with self._lock:
            self._is_cut = True
            broken, self._open = self._open, set()
        for end in broken:
            _close(end)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def hold(self, *words: bytes) -> Held:
        """Keep back the next message to the server that has all the words."""
        held = Held(*words)
        with self._lock:
            self._held.append(held)
        return held

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                is_cut = self._is_cut
            if is_cut:
                _close(near)
            else:
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5.0)
        except OSError:
            _close(near)
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        late = list[Held]()
        threading.Thread(target=self._pass_on, args=(near, far, late), daemon=True).start()
        threading.Thread(target=self._pass_back, args=(far, near, late), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket, late: list[Held]) -> None:
        message = b""
        with suppress(OSError):
            while chunk := near.recv(_BYTES):
                message = (message + chunk)[-4 * _BYTES :]
                if (held := self._caught(message)) is not None:
                    message = b""
                    late.append(held)
                    held.keep()
                far.sendall(chunk)
        if not late:  # who gave a late message up does not take it back
            self._part(near, far)

    def _pass_back(self, far: socket.socket, near: socket.socket, late: list[Held]) -> None:
        with suppress(OSError):
            while chunk := far.recv(_BYTES):
                for held in late:
                    held.take_answer(chunk)
                with suppress(OSError):
                    near.sendall(chunk)
        self._part(near, far)

    def _caught(self, message: bytes) -> Held | None:
        with self._lock:
            found = next((held for held in self._held if held.is_in(message)), None)
            if found is not None:
                self._held.remove(found)
        return found

    def _part(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            _close(end)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
