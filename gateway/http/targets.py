"""The inference routes: which path asks for what, in which protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.codec.decoders import BodyProtocol

__all__ = ["Target", "target_of"]

_PREDICT = re.compile(r"/predict(?:/(?P<model>[^/]+))?/?")
_INFER = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/infer/?")
_V1_PREDICT = re.compile(r"/v1/models/(?P<model>[^/:]+):predict")
_INVOCATIONS = re.compile(r"/invocations")
_PROTOCOLS: tuple[tuple[re.Pattern[str], BodyProtocol], ...] = (
    (_PREDICT, "plain"),
    (_INFER, "v2"),
    (_V1_PREDICT, "v1"),
    (_INVOCATIONS, "mlflow"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a path asks for; a model or version that it does not name is ``None``."""

    protocol: BodyProtocol
    model: str | None = None
    version: str | None = None


def target_of(path: str) -> Target | None:
    """Return what an inference route asks for; ``None`` where the path is none.

    >>> target_of("/v1/models/iris:predict")
    Target(protocol='v1', model='iris', version=None)
    """
    for pattern, protocol in _PROTOCOLS:
        if match := pattern.fullmatch(path):
            return Target(protocol, **match.groupdict())
    return None
