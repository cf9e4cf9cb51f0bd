"""Golden rows: requests with their known answers, which a version must reproduce before it may take traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.catalog.bundle import Bundle
from gateway.codec.decoded import Decoded
from gateway.codec.documents import decode_document, encode_document
from gateway.codec.plain import PlainDecoder
from gateway.contract import Contract
from gateway.engine.session import RunHandle
from gateway.engine.version import ServableVersion
from gateway.errors import RequestInvalid, VersionRefused
from gateway.settings import LimitSettings
from gateway.types import TensorSpec

__all__ = ["GoldenRows"]


@dataclass(frozen=True, slots=True)
class _GoldenFile:
    instances: list[Any]
    predictions: list[Any]
    probabilities: list[list[float]] | None = None


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """Decoded golden rows and the answers they must have."""

    decoded: Decoded
    predictions: list[Any]
    probabilities: list[list[float]] | None
    tolerance: float

    @classmethod
    def read(
        cls, bundle: Bundle, contract: Contract, inputs: Mapping[str, TensorSpec], ranks: Mapping[str, int]
    ) -> GoldenRows:
        """Read the bundle's golden file by the contract.

        Raises
        ------
        gateway.errors.VersionRefused
            The file breaks its schema, or a row breaks the contract.
        """
        names = (bundle.model, bundle.version)
        golden_set = bundle.manifest.evaluation.golden_set
        try:
            file = decode_document(bundle.golden or b"", _GoldenFile, source="golden rows")
            unruled = replace(contract, rules=())  # rules judge requests: a golden row's time is never fresh
            decoder = PlainDecoder(unruled, inputs, LimitSettings(), names=names, ranks=ranks)
            decoded = decoder.decode(encode_document({"instances": file.instances}))
        except RequestInvalid as exc:
            faults = "; ".join(str(fault) for fault in getattr(exc, "faults", ())[:3])
            raise VersionRefused(*names, f"golden rows cannot be read: {exc} {faults}") from exc
        tolerance = golden_set.tolerance if golden_set else 1e-4
        return cls(decoded, file.predictions, file.probabilities, tolerance)

    def feeds(self, n: int) -> dict[str, npt.NDArray[Any]]:
        """Return ``n`` rows, the golden ones over and over."""
        return {name: np.resize(value, (n, *value.shape[1:])) for name, value in self.decoded.feeds.items()}

    def check(self, version: ServableVersion, handle: RunHandle | None = None) -> None:
        """Refuse a version that does not give the golden answers.

        Raises
        ------
        gateway.errors.VersionRefused
            With the first row that disagrees.
        gateway.engine.session.RunFailed
            The version fails on the golden rows.
        """
        outputs = version.run(self.decoded.feeds, self.decoded.n, handle)
        found = version.reader.predictions(outputs)
        if len(found) != len(self.predictions):
            self._refuse(version, f"{len(self.predictions)} golden predictions for {len(found)} rows")
        for i, (expected, answer) in enumerate(zip(self.predictions, found, strict=True)):
            if not self._same(expected, answer):
                self._refuse(version, f"golden row {i} expects {expected!r}, the model answers {answer!r}")
        if self.probabilities is not None:
            self._check_probabilities(version, outputs.scores_nk)

    def _check_probabilities(self, version: ServableVersion, scores_nk: npt.NDArray[Any] | None) -> None:
        rows = self.probabilities or []
        if scores_nk is None or [len(row) for row in rows] != [scores_nk.shape[1]] * len(scores_nk):
            why = "golden probabilities have another shape than the model's"
            raise VersionRefused(version.model, version.version, why)
        expected_nk = np.array(rows, np.float64)
        off_n = np.abs(scores_nk - expected_nk).max(axis=1)
        if not (off_n <= self.tolerance).all():
            worst = int(np.argmax(off_n))
            why = f"golden row {worst} is off by {off_n[worst]:.3g} in its probabilities, tolerance {self.tolerance:g}"
            self._refuse(version, why)

    def _same(self, expected: Any, answer: Any) -> bool:
        if isinstance(expected, list) and isinstance(answer, list):
            return len(expected) == len(answer) and all(map(self._same, expected, answer))
        if isinstance(expected, int | float) and isinstance(answer, float):
            return abs(expected - answer) <= self.tolerance
        return bool(expected == answer)

    @staticmethod
    def _refuse(version: ServableVersion, why: str) -> None:
        raise VersionRefused(version.model, version.version, why)
