"""How urgent a request is: by when its answer is worth something, and its priority."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from gateway.errors import BodyMalformed, Fault, HeaderInvalid

__all__ = [
    "DEADLINE_HEADER",
    "HIGH",
    "LOW",
    "NORMAL",
    "PRIORITIES",
    "PRIORITY_HEADER",
    "USUAL",
    "Urgency",
    "of_headers",
    "of_parameters",
    "of_values",
]

DEADLINE_HEADER: Final = b"x-request-deadline-ms"
PRIORITY_HEADER: Final = b"x-request-priority"
HIGH: Final = 0
NORMAL: Final = 1
LOW: Final = 2
PRIORITIES: Final = ("high", "normal", "low")
"""The names of the priorities, which are their own indices."""
_LONGEST_MS = 86_400_000
_MOST_DIGITS = 10
_PAST_ALL_INTEGERS = 1 << 64  # of the protocol, whose parameters are unsigned
_LEVELS = (NORMAL, HIGH, NORMAL)
"""The Open Inference Protocol counts from the most urgent, 1; its 0 is whatever the server takes for usual."""


class Urgency(NamedTuple):
    """What a client said of its haste.

    ``deadline_s`` counts from the request's first byte; ``None`` where the client named none. ``priority`` is ``HIGH``,
    ``NORMAL`` or ``LOW``.
    """

    deadline_s: float | None = None
    priority: int = NORMAL

    def deadline_at(self, received_at: float, longest_s: float) -> float:
        """Return the deadline as an instant; a client may wait less than ``longest_s``, never more.

        >>> Urgency(0.25).deadline_at(100.0, 30.0), Urgency().deadline_at(100.0, 30.0)
        (100.25, 130.0)
        """
        deadline_s = self.deadline_s
        return received_at + (longest_s if deadline_s is None else min(deadline_s, longest_s))


USUAL: Final = Urgency()


def of_headers(headers: Sequence[tuple[bytes, bytes]]) -> Urgency:
    """Read the urgency from headers with lower-case names; of a repeated one the first counts.

    Raises
    ------
    HeaderInvalid

    Examples
    --------
    >>> of_headers([(b"x-request-deadline-ms", b"250"), (b"x-request-priority", b"low")])
    Urgency(deadline_s=0.25, priority=2)
    """
    deadline = priority = None
    for name, value in headers:
        if name == DEADLINE_HEADER and deadline is None:
            deadline = value
        elif name == PRIORITY_HEADER and priority is None:
            priority = value
    return of_values(deadline, priority)


def of_values(deadline: bytes | None, priority: bytes | None) -> Urgency:
    """Read the values of the two headers, ``None`` for one that is absent; raise ``HeaderInvalid``."""
    if deadline is None and priority is None:
        return USUAL
    return Urgency(
        None if deadline is None else _deadline_s(deadline), NORMAL if priority is None else _priority(priority)
    )


def of_parameters(parameters: Mapping[str, object], headers: Urgency = USUAL) -> Urgency:
    """Read ``timeout`` (microseconds) and ``priority`` of the Open Inference Protocol; 0 stands for "not set".

    The earlier of two deadlines counts; of two priorities that of the parameters, which are nearer to the request.

    Raises
    ------
    BodyMalformed

    Examples
    --------
    >>> of_parameters({"timeout": 5000, "priority": 1}, Urgency(1.0))
    Urgency(deadline_s=0.005, priority=0)
    """
    if "timeout" not in parameters and "priority" not in parameters:
        return headers
    timeout_s = _whole(parameters, "timeout") / 1e6 or None
    deadlines = [deadline_s for deadline_s in (timeout_s, headers.deadline_s) if deadline_s is not None]
    level = _whole(parameters, "priority")
    return Urgency(min(deadlines, default=None), _of_level(level) if level else headers.priority)


def _deadline_s(text: bytes) -> float:
    # isdigit of bytes knows ASCII only; the length bounds what int may have to read.
    if not text.isdigit() or len(text) > _MOST_DIGITS or not 1 <= int(text) <= _LONGEST_MS:
        raise HeaderInvalid(DEADLINE_HEADER.decode(), f"an integer from 1 to {_LONGEST_MS}, in milliseconds", text)
    return int(text) / 1000.0


def _priority(text: bytes) -> int:
    name = text.decode("latin-1").lower()
    if name in PRIORITIES:
        return PRIORITIES.index(name)
    if text.isdigit() and len(text) <= _MOST_DIGITS:
        return _of_level(int(text))
    raise HeaderInvalid(PRIORITY_HEADER.decode(), "high, normal, low or an integer from 0", text)


def _of_level(level: int) -> int:
    return _LEVELS[level] if level < len(_LEVELS) else LOW


def _whole(parameters: Mapping[str, object], name: str) -> int:
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _PAST_ALL_INTEGERS:
        fault = Fault(f"/parameters/{name}", "value", "an integer from 0", repr(value)[:64])
        raise BodyMalformed(str(fault), [fault])
    return value
