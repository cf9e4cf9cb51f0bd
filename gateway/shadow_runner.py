"""Runs shadow versions on what stable answered, and compares. Plain functions of a job; no socket, no loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.codec.decoded import Decoded
from gateway.codec.decoders import Decoders
from gateway.codec.tensors import TensorRequest
from gateway.engine.outputs import Outputs
from gateway.engine.session import RunHandle
from gateway.engine.version import ServableVersion
from gateway.settings import LimitSettings
from gateway.shadow_jobs import ShadowJob
from monitors.records import BROKEN_FLAG, Observation, ShadowComparison, StreamKey

__all__ = ["ParseGrpc", "ShadowResult", "ShadowRunner"]

_VALUE_TOLERANCE = 1e-6
ParseGrpc = Callable[[bytes], TensorRequest]


@dataclass(frozen=True, slots=True, eq=False)
class ShadowResult:
    """A shadow's answer to one job: what the watch sees of it, and how it compares with stable's."""

    observation: Observation
    comparison: ShadowComparison


class ShadowRunner:
    """One shadow version. ``run`` blocks; call it from one thread.

    Parameters
    ----------
    parse_grpc
        Reads what came by gRPC; ``None`` where nothing does.
    """

    def __init__(
        self, servable: ServableVersion, limits: LimitSettings, worker: str, *, parse_grpc: ParseGrpc | None = None
    ) -> None:
        self._parse_grpc = parse_grpc
        names, ranks = (servable.model, servable.version), servable.ranks
        self._servable, self._worker = servable, worker
        self._key = StreamKey(servable.model, servable.version, servable.digest, "shadow")
        outputs = tuple(servable.outputs)
        self._decoders = Decoders(servable.contract, servable.inputs, outputs, limits, names=names, ranks=ranks)

    def expected_s(self, job: ShadowJob) -> float:
        """Return the seconds that the run of a job should take, by what was measured when the version was loaded."""
        return self._servable.curve.seconds(len(job.labels_n))

    def run(self, job: ShadowJob, handle: RunHandle | None = None) -> ShadowResult:
        """Return the shadow's answer beside stable's.

        Raises
        ------
        gateway.errors.WeirError
            The shadow's contract does not take the request.
        gateway.engine.session.RunFailed
            The shadow raised, or was terminated.
        ValueError
            The shadow's answer cannot be compared: other rows, or a classifier beside a regressor.
        """
        body = self._parse_grpc(job.body) if self._parse_grpc and job.protocol == "grpc" else job.body
        decoded = self._decoders.decode(job.protocol, body, job.json_bytes)
        if decoded.n != len(job.labels_n):
            raise ValueError(f"{decoded.n} rows here, {len(job.labels_n)} answered by {job.answered_by}")
        outputs = self._servable.run(decoded.feeds, decoded.n, handle)
        return ShadowResult(self._observed(job, decoded, outputs), self._compared(job, outputs))

    def _observed(self, job: ShadowJob, decoded: Decoded, outputs: Outputs) -> Observation:
        n = decoded.n
        flags_n: npt.NDArray[np.uint16] = np.zeros(n, np.uint16)
        if decoded.flags_n is not None:
            flags_n |= decoded.flags_n
        flags_n[outputs.broken_n(n)] |= BROKEN_FLAG
        return Observation(
            key=self._key,
            worker=self._worker,
            route_revision=0,
            sampled_ratio=1.0,
            request_ids=(job.request_id,) * n,
            answered_at_n=np.full(n, job.answered_at),
            key_hashes_n=np.zeros(n, np.uint64),
            values_nd=_float64(decoded.values_nd, n),
            labels_n=self._servable.reader.label_codes(outputs, n),
            scores_nk=_float64(outputs.scores_nk, n),
            durations_n=np.zeros(n, np.float32),
            flags_n=flags_n,
        )

    def _compared(self, job: ShadowJob, outputs: Outputs) -> ShadowComparison:
        own, n = tuple(str(c) for c in self._servable.contract.outputs.classes), len(job.labels_n)
        ours_nk = _float64(outputs.scores_nk, n)
        if bool(own) != bool(job.classes):
            raise ValueError(f"classes {list(own)} here, {list(job.classes)} at {job.answered_by}: nothing to compare")
        if own:
            labels_n = self._named(own, self._servable.reader.label_codes(outputs, n))
            agrees_n = labels_n == self._named(job.classes, job.labels_n)
            differences_n = _variation(ours_nk, own, job.scores_nk, job.classes)
        else:
            differences_n = _difference(ours_nk, job.scores_nk)
            size_n = np.abs(job.scores_nk).max(axis=1, initial=0.0)
            agrees_n = differences_n <= _VALUE_TOLERANCE * np.maximum(1.0, size_n)
        return ShadowComparison(
            key=self._key,
            answered_by=job.answered_by,
            worker=self._worker,
            request_ids=(job.request_id,) * len(job.labels_n),
            answered_at_n=np.full(len(job.labels_n), job.answered_at),
            agrees_n=np.asarray(agrees_n, np.bool_),
            score_differences_n=differences_n,
        )

    @staticmethod
    def _named(classes: tuple[str, ...], codes_n: npt.NDArray[np.int32]) -> npt.NDArray[np.object_]:
        names = np.array([*classes, "?"], object)
        return names[np.where((codes_n >= 0) & (codes_n < len(classes)), codes_n, len(classes))]


def _float64(values: npt.NDArray[np.generic] | None, n: int) -> npt.NDArray[np.float64]:
    return np.empty((n, 0)) if values is None else np.asarray(values, np.float64)


def _variation(
    ours_nk: npt.NDArray[np.float64], own: Sequence[str], theirs_nk: npt.NDArray[np.float64], classes: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return the total variation distance row by row; a class that only one of the two knows is zero at the other."""
    if ours_nk.shape[1] != len(own) or theirs_nk.shape[1] != len(classes):
        return np.zeros(len(ours_nk))
    every = tuple(dict.fromkeys([*own, *classes]))
    apart_nk = np.abs(_spread(ours_nk, own, every) - _spread(theirs_nk, classes, every))
    return np.asarray(np.nan_to_num(0.5 * apart_nk.sum(axis=1), nan=1.0, posinf=1.0))


def _spread(scores_nk: npt.NDArray[np.float64], names: Sequence[str], every: Sequence[str]) -> npt.NDArray[np.float64]:
    columns = {name: scores_nk[:, k] for k, name in enumerate(names)}
    zero_n = np.zeros(len(scores_nk))
    return np.stack([columns.get(name, zero_n) for name in every], axis=1)


def _difference(a_nk: npt.NDArray[np.float64], b_nk: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if a_nk.shape != b_nk.shape:
        raise ValueError(f"values of {a_nk.shape[1]} columns here, {b_nk.shape[1]} there: nothing to compare")
    apart_n = np.abs(a_nk - b_nk).max(axis=1, initial=0.0)
    return np.asarray(np.nan_to_num(apart_n, nan=np.finfo(np.float64).max))
