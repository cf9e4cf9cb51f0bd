"""How raw tensors lie behind a request's JSON; JSON that was read before needs no reading again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from gateway.codec.binary import tensor_from

__all__ = ["RawLayout", "RawLayouts", "RawPlace"]

_LAYOUTS, _JSON_BYTES = 256, 2_048


@dataclass(frozen=True, slots=True)
class RawPlace:
    """Where one input lies, counted from the first raw byte, and what it is there."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class RawLayout:
    """Where every input lies, in the order of the request, and which outputs are wanted, and which of them raw."""

    places: Sequence[RawPlace]
    raw_bytes: int
    requested: tuple[str, ...]
    binary: frozenset[str]

    def feeds(self, raw: memoryview) -> dict[str, npt.NDArray[Any]] | None:
        """Return the inputs, views of ``raw`` where the place allows; ``None`` where some bytes are not of their type.

        Why they are not, is told by whoever reads the JSON again.
        """
        try:
            return {
                place.name: tensor_from(raw[place.start : place.stop], place.dtype, place.shape)
                for place in self.places
            }
        except ValueError:
            return None


class RawLayouts:
    """Remembers, for one version, what the JSON of requests was found to say.

    Clients that send raw tensors send the same JSON again and again, as long as their batches have one size. To read
    it, and to hold it to the graph, takes three times what looking at a batch of 32 rows does. The memory is bounded,
    and forgets everything when it is full.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, RawLayout] = {}

    def find(self, body: bytes, json_bytes: int) -> RawLayout | None:
        """Return the layout of a body; ``None`` where its JSON is not known, or more or fewer bytes follow it."""
        known = self._seen.get(body[:json_bytes])
        return known if known is not None and len(body) == json_bytes + known.raw_bytes else None

    def remember(self, body: bytes, json_bytes: int, layout: RawLayout) -> None:
        """Remember the layout of a body that was found right."""
        if json_bytes > _JSON_BYTES:
            return
        if len(self._seen) >= _LAYOUTS:
            self._seen.clear()
        self._seen[body[:json_bytes]] = layout
