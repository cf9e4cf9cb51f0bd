"""Clients of a running gateway: threads that send one request after the other and show every answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import httpx

from tests import loopback

__all__ = ["Clients", "Instance"]

Instance = dict[str, Any]
_RECONNECT_EVERY = 20


class Clients:
    """Threads that post rows to ``/predict/{model}`` from entry to exit; on exit no request is left in the middle.

    Workers share the port, and only a new connection may reach another worker, so each client connects anew now and
    then.

    Parameters
    ----------
    url
        The gateway.
    model
        The model to ask.
    requests
        Rows of one request each, without end.
    on_answer
        Called with the rows and the answer of every request, by one thread at a time.
    threads
        Requests in flight at most.
    pause_s
        Between an answer and the thread's next request.
    """

    def __init__(
        self,
        url: str,
        model: str,
        requests: Iterator[list[Instance]],
        on_answer: Callable[[list[Instance], httpx.Response], None],
        *,
        threads: int = 3,
        pause_s: float = 0.02,
    ) -> None:
        self._url, self._path, self._requests, self._on_answer = url, f"/predict/{model}", requests, on_answer
        self._pause_s = pause_s
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._failure: Exception | None = None
        self._threads = [threading.Thread(target=self._run, name=f"client-{n}") for n in range(threads)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                with loopback.Client(base_url=self._url, timeout=10.0) as client:
                    self._converse(client)
        except Exception as failure:  # what a thread raises reaches the test when the clients are left
            self._failure = failure

    def _converse(self, client: httpx.Client) -> None:
        for _ in range(_RECONNECT_EVERY):
            with self._lock:
                instances = next(self._requests)
            response = client.post(self._path, json={"instances": instances})
            with self._lock:
                self._on_answer(instances, response)
            if self._stopped.wait(self._pause_s):
                return
