"""Put on the path of a gateway by ``benchmarks.serving.watching``: SIGUSR2 sets a worker to one row a second, or back.

An operator has a setting for it, which takes a new process; and two processes differ by more than what is measured.
"""

from __future__ import annotations

import signal
from typing import Any
from weakref import WeakKeyDictionary

from gateway.sampling import RateSampler

_AS_SET: WeakKeyDictionary[RateSampler, int] = WeakKeyDictionary()
_initialize = RateSampler.__init__


def _noted(sampler: RateSampler, rows_per_s: int, **rest: Any) -> None:
    _initialize(sampler, rows_per_s, **rest)
    _AS_SET[sampler] = rows_per_s


def _switch(*_: object) -> None:
    for sampler, rows_per_s in _AS_SET.items():
        sampler.rows_per_s = 1 if sampler.rows_per_s == rows_per_s else rows_per_s


setattr(RateSampler, "__init__", _noted)  # noqa: B010 - the type checker knows that it is a method
signal.signal(signal.SIGUSR2, _switch)
