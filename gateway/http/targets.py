"""The inference routes: which path asks for what, in which protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import httptools

from gateway.codec.decoders import BodyProtocol

__all__ = ["Target", "target_of", "target_parts"]

_SHORT, _KNOWN = 256, 1024  # what is longer is not remembered, so that clients cannot fill the memory
_PREDICT = re.compile(r"/predict(?:/(?P<model>[^/]+))?/?")
_INFER = re.compile(r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?/infer/?")
_V1_PREDICT = re.compile(r"/v1/models/(?P<model>[^/]+):predict")
_INVOCATIONS = re.compile(r"/invocations")
_PROTOCOLS: tuple[tuple[re.Pattern[str], BodyProtocol], ...] = (
    (_PREDICT, "plain"),
    (_INFER, "v2"),
    (_V1_PREDICT, "v1"),
    (_INVOCATIONS, "mlflow"),
)
_ROUTES: dict[BodyProtocol, str] = {"plain": "/predict", "v2": "/v2", "v1": "/v1", "mlflow": "/invocations"}
_TEMPLATES: dict[tuple[BodyProtocol, bool, bool], str] = {
    ("plain", False, False): "/predict",
    ("plain", True, False): "/predict/{model}",
    ("v2", True, False): "/v2/models/{model}/infer",
    ("v2", True, True): "/v2/models/{model}/versions/{version}/infer",
    ("v1", True, False): "/v1/models/{model}:predict",
    ("mlflow", False, False): "/invocations",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path asks for; a model or version that it does not name is ``None``."""

    protocol: BodyProtocol
    model: str | None = None
    version: str | None = None

    @property
    def route(self) -> str:
        """The route that its requests are counted under."""
        return _ROUTES[self.protocol]

    @property
    def template(self) -> str:
        """The path with its parts in braces, as routers write it.

        >>> Target("plain", "iris").template
        '/predict/{model}'
        """
        return _TEMPLATES[self.protocol, self.model is not None, self.version is not None]


def target_parts(target: bytes) -> tuple[str, bytes, bytes]:
    """Return the path, the path as it was sent, and the query of a request target.

    >>> target_parts(b"/predict/%69ris?trace")
    ('/predict/iris', b'/predict/%69ris', b'trace')
    """
    return _known_parts(target) if len(target) <= _SHORT else _parts(target)


def target_of(path: str) -> Target | None:
    """Return what an inference route asks for; ``None`` where the path is none.

    >>> target_of("/v1/models/iris:predict")
    Target(protocol='v1', model='iris', version=None)
    """
    return _known_target(path) if len(path) <= _SHORT else _target(path)


def _parts(target: bytes) -> tuple[str, bytes, bytes]:
    url = httptools.parse_url(target)
    path = url.path.decode("ascii")
    return unquote(path) if "%" in path else path, url.path, url.query or b""


def _target(path: str) -> Target | None:
    for pattern, protocol in _PROTOCOLS:
        if match := pattern.fullmatch(path):
            return Target(protocol, **match.groupdict())
    return None


_known_parts, _known_target = lru_cache(_KNOWN)(_parts), lru_cache(_KNOWN)(_target)
