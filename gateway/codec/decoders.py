"""Every protocol's decoder of one version: a protocol's skin names the protocol, and this finds who reads the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy.typing as npt

from gateway.codec.decoded import Decoded, RowsRefused
from gateway.codec.mlflow import MlflowDecoder
from gateway.codec.plain import PlainDecoder
from gateway.codec.tensors import TensorRequest
from gateway.codec.v2 import V2Decoder
from gateway.contract import Contract
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["Body", "BodyProtocol", "Decoders", "encoded"]

BodyProtocol = Literal["plain", "v1", "v2", "mlflow", "grpc"]
"""``v1`` is KServe's first protocol, whose requests are those of the plain one."""

Body = bytes | TensorRequest
"""Bytes as they came; of ``grpc`` the request as its skin has parsed it."""


def encoded(body: Body) -> bytes:
    """Return a body as bytes, for another process; of ``grpc`` the message that it was."""
    return body if isinstance(body, bytes) else body.encode()


Reader = Callable[[Any, int | None], Decoded]


class Decoders:
    """What reads the bodies of one version. Loop-safe, no state.

    ``by_protocol`` has a reader for each protocol, which takes a body and the length of its JSON; it does what
    ``decode`` does, but may leave rows as cells that are judged with their batch (``stack``, ``settle``).
    """

    __slots__ = ("by_protocol", "mlflow", "plain", "v2")

    def __init__(
        self,
        contract: Contract,
        inputs: Mapping[str, TensorSpec],
        output_names: tuple[str, ...],
        limits: LimitSettings,
        *,
        names: tuple[str, str],
        ranks: Mapping[str, int],
    ) -> None:
        self.plain = PlainDecoder(contract, inputs, limits, names=names, ranks=ranks)
        self.v2 = V2Decoder(contract, inputs, output_names, limits, names=names, ranks=ranks)
        self.mlflow = MlflowDecoder(contract, limits, self.plain)
        self.by_protocol: dict[BodyProtocol, Reader] = {
            "plain": self.plain.pending,
            "v1": self.plain.pending,
            "v2": self.v2.decode,
            "mlflow": self.mlflow.decode,
            "grpc": partial(self.decode, "grpc"),
        }

    def decode(self, protocol: BodyProtocol, body: Body, json_bytes: int | None = None) -> Decoded:
        """Return a body's rows; ``json_bytes`` is for a v2 body with raw tensors behind its JSON.

        Raises
        ------
        gateway.errors.RequestInvalid
        """
        if isinstance(body, TensorRequest):
            return self.v2.tensors.decode(body)
        if protocol == "v2":
            return self.v2.decode(body, json_bytes)
        return self.mlflow.decode(body) if protocol == "mlflow" else self.plain.decode(body)

    def stack(self, batch: Sequence[Decoded]) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]] | None:
        """Return the graph inputs of several requests' pending rows and their raw values (n, d), in one go.

        ``None`` where a value needs a policy: then each request is to be settled by itself.
        """
        gatherer = self.plain.gatherer
        x_nd = None if gatherer is None else gatherer.stack(batch)
        return None if gatherer is None or x_nd is None else (gatherer.feeds_of(x_nd), x_nd)

    def settle(self, decoded: Decoded, body: bytes) -> Decoded:
        """Return pending rows as graph inputs. Raises as ``decode`` does; ``body`` is what they came from."""
        gatherer = self.plain.gatherer
        if decoded.cells is None or gatherer is None:
            return decoded
        try:
            return gatherer.settle(decoded)
        except (RowsRefused, ArithmeticError, ValueError, TypeError) as exc:
            raise self.plain.diagnosis(body, exc) from exc
