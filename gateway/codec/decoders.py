"""Every protocol's decoder of one version: a protocol's skin names the protocol, and this finds who reads the body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gateway.codec.decoded import Decoded
from gateway.codec.mlflow import MlflowDecoder
from gateway.codec.plain import PlainDecoder
from gateway.codec.v2 import V2Decoder
from gateway.contract import Contract
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["BodyProtocol", "Decoders"]

BodyProtocol = Literal["plain", "v1", "v2", "mlflow"]
"""``v1`` is KServe's first protocol, whose requests are those of the plain one."""


class Decoders:
    """What reads the bodies of one version. Loop-safe, no state."""

    __slots__ = ("mlflow", "plain", "v2")

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

    def decode(self, protocol: BodyProtocol, body: bytes, json_bytes: int | None = None) -> Decoded:
        """Return a body's rows; ``json_bytes`` is for a v2 body with raw tensors behind its JSON.

        Raises
        ------
        gateway.errors.RequestInvalid
        """
        if protocol == "v2":
            return self.v2.decode(body, json_bytes)
        return self.mlflow.decode(body) if protocol == "mlflow" else self.plain.decode(body)
