"""Everything that watches answers on a worker, behind the one interface that the pipeline calls."""

from __future__ import annotations

from gateway.arm import Arm
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Answer, FallbackReason
from gateway.routing.table import ModelRoute
from gateway.shadow_feed import ShadowFeed
from gateway.tap import Tap

__all__ = ["Observers"]


_KINDS = frozenset({"missing", "out_of_range", "unseen", "wrong_type", "unknown"})


class Observers:
    """Contract counters, the tap and the shadow feed."""

    def __init__(self, counters: SharedCounters, tap: Tap, shadow_feed: ShadowFeed) -> None:
        self._counters, self._tap, self._shadow_feed = counters, tap, shadow_feed

    def answered(self, answer: Answer, route: ModelRoute) -> None:
        """Count the rows looked at, sample them for the watch, and offer stable's answers to the shadows."""
        answer.arm.metrics.looked_at.inc(answer.decoded.n)
        self._tap.take(answer)
        if route.shadows and answer.arm.variant == "stable":
            self._shadow_feed.take(answer, route)

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        """Count faults; features that the contract does not know go under ``other``."""
        arm.metrics.looked_at.inc(refused_rows)
        known = {feature.name for feature in arm.contract.features}
        for (feature, kind), rows in counts.items():
            if kind not in _KINDS:
                continue  # a row of the wrong shape has no feature to blame
            self._counters.counter(
                "weir_feature_faults_total",
                model=arm.model,
                version=arm.version,
                feature=feature if feature in known else "other",
                kind=kind,
            ).inc(rows)

    def fell_back(self, arm: Arm, reason: FallbackReason, *, tripped: bool) -> None:
        """Count a masked failure, and show a tripped canary."""
        labels = {"model": arm.model, "version": arm.version}
        self._counters.counter("weir_canary_fallback_total", **labels, reason=reason).inc()
        if tripped:
            self._counters.gauge("weir_canary_tripped", **labels).set(1.0)
