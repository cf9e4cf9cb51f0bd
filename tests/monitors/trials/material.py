"""Records and specifications for the tests of trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitors.records import (
    Failure,
    Failures,
    FailureStatus,
    Observation,
    OutputSchema,
    ShadowComparison,
    StreamInfo,
    StreamKey,
    TrialSpec,
    Variant,
)

__all__ = ["answers", "comparison", "failures", "info", "spec"]


def spec(**changes: Any) -> TrialSpec:
    """Return the first of three steps of a rollout of version 2 over version 1."""
    given: dict[str, Any] = {
        "rollout": "r",
        "model": "fraud",
        "stable": "1",
        "candidate": "2",
        "stage": "canary",
        "steps": 3,
        "weight_bp": 500,
        "since_revision": 7,
    }
    return TrialSpec(**{**given, **changes})


def info(version: str, classes: tuple[str, ...] = ("no", "yes")) -> StreamInfo:
    """Return what is known of a classifier."""
    return StreamInfo("fraud", version, "", (), OutputSchema("classification", classes))


def answers(
    version: str,
    ids: Sequence[str],
    keys: Sequence[int] | None = None,
    *,
    variant: Variant | None = None,
    labels: Sequence[int] | None = None,
    durations: Sequence[float] | None = None,
    flags: Sequence[int] | None = None,
    ratio: float = 1.0,
    revision: int = 7,
) -> Observation:
    """Return answers of one version, a row a request unless an id stands twice."""
    n = len(ids)
    return Observation(
        key=StreamKey("fraud", version, "", variant or ("canary" if version == "2" else "stable")),
        worker="w",
        route_revision=revision,
        sampled_ratio=ratio,
        request_ids=tuple(ids),
        answered_at_n=np.zeros(n),
        key_hashes_n=np.asarray(keys if keys is not None else np.zeros(n), np.uint64),
        values_nd=np.zeros((n, 0)),
        labels_n=np.asarray(labels if labels is not None else np.zeros(n), np.int32),
        scores_nk=np.tile([0.75, 0.25], (n, 1)),
        durations_n=np.asarray(durations if durations is not None else np.full(n, 0.01), np.float32),
        flags_n=np.asarray(flags if flags is not None else np.zeros(n), np.uint16),
    )


def failures(
    version: str, *ids: str, status: FailureStatus, key: int = 0, reason: str = "error", duration_s: float = 0.01
) -> Failures:
    """Return failed requests of one version."""
    each = [
        Failure(
            request_id=name, failed_at=0.0, model="fraud", version=version, digest="",
            variant="canary" if version == "2" else "stable", route_revision=7, key_hash=key, status=status,
            reason=reason, duration_s=duration_s, sampled_ratio=1.0,
        )
        for name in ids
    ]  # fmt: skip
    return Failures("w", tuple(each))


def comparison(ids: Sequence[str], agrees: Sequence[bool]) -> ShadowComparison:
    """Return answers of version 2 beside those of version 1."""
    n = len(ids)
    key = StreamKey("fraud", "2", "", "shadow")
    return ShadowComparison(key, "1", "shadow", tuple(ids), np.zeros(n), np.asarray(agrees, np.bool_), np.zeros(n))
