"""What travels from a worker to the shadow process: requests that stable answered, with its answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from gateway.codec.decoders import BodyProtocol

__all__ = ["ShadowJob", "pack_jobs", "unpack_jobs"]

_PLAIN = {
    "model": (str,),
    "answered_by": (str,),
    "protocol": (str,),
    "body": (bytes,),
    "json_bytes": (int, NoneType),
    "request_id": (str,),
    "answered_at": (float,),
}


@dataclass(frozen=True, slots=True, eq=False)
class ShadowJob:
    """One request: the body as the client sent it, how to read it, and what stable answered.

    ``labels_n`` (n,) int32 and ``scores_nk`` (n, k) float64 are stable's, as in ``monitors.records.Observation``;
    ``classes`` names the columns. ``json_bytes`` is where raw tensors begin in the body, ``None`` where it has none.
    """

    model: str
    shadows: tuple[str, ...]
    answered_by: str
    protocol: BodyProtocol
    body: bytes
    request_id: str
    answered_at: float
    classes: tuple[str, ...]
    labels_n: npt.NDArray[np.int32]
    scores_nk: npt.NDArray[np.float64]
    json_bytes: int | None = None


def pack_jobs(jobs: Iterable[ShadowJob]) -> dict[str, Any]:
    """Return jobs as plain values for one frame."""
    return {
        "jobs": [
            {name: getattr(job, name) for name in _PLAIN}
            | {"shadows": list(job.shadows), "classes": list(job.classes)}
            | {"labels": job.labels_n.tobytes(), "scores": job.scores_nk.tobytes(), "k": job.scores_nk.shape[1]}
            for job in jobs
        ]
    }


def unpack_jobs(frame: Mapping[str, Any]) -> list[ShadowJob]:
    """Return the jobs of a frame.

    Raises
    ------
    ValueError
        The frame is not one that ``pack_jobs`` made.
    """
    try:
        return [_unpacked(packed) for packed in frame["jobs"]]
    except (KeyError, TypeError, OverflowError) as exc:
        raise ValueError(f"not a frame of shadow jobs: {exc!r}") from exc


def _unpacked(packed: Mapping[str, Any]) -> ShadowJob:
    labels_n = np.frombuffer(packed["labels"], np.int32)
    scores_nk = np.frombuffer(packed["scores"], np.float64).reshape(len(labels_n), packed["k"])
    plain = {name: _of_type(packed[name], types) for name, types in _PLAIN.items()}
    if plain["protocol"] not in get_args(BodyProtocol):
        raise TypeError(f"no protocol {plain['protocol']!r}")
    return ShadowJob(
        shadows=tuple(_of_type(version, (str,)) for version in packed["shadows"]),
        classes=tuple(packed["classes"]),
        labels_n=labels_n,
        scores_nk=scores_nk,
        **plain,
    )


def _of_type(value: Any, types: tuple[type, ...]) -> Any:
    if type(value) not in types:
        raise TypeError(f"{type(value).__name__} where {types[0].__name__} is expected")
    return value
