"""Everything that watches answers on a worker, behind the one interface that the pipeline calls."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.admission.deadline import PRIORITIES
from gateway.admission.gate import Gate
from gateway.arm import Arm
from gateway.call import Call
from gateway.errors import ModelNotReady, ModelStopped, WeirError
from gateway.failure_feed import FailureFeed
from gateway.metrics.catalogue import METRICS
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import FallbackReason
from gateway.routing.table import ModelRoute
from gateway.shadow_feed import ShadowFeed
from gateway.tap import Tap

__all__ = ["Observers"]


_log = logging.getLogger("weir.routes")
_KINDS = frozenset({"missing", "out_of_range", "unseen", "wrong_type", "unknown", "shape"})


class Observers:
    """Contract counters, the tap and the shadow feed, which gets nothing while the worker has too much to do."""

    def __init__(
        self,
        counters: SharedCounters,
        tap: Tap,
        shadow_feed: ShadowFeed,
        gate: Gate,
        failure_feed: FailureFeed | None = None,
    ) -> None:
        self._counters, self._tap, self._shadow_feed, self._gate = counters, tap, shadow_feed, gate
        self._failure_feed = failure_feed
        self._sheds = {  # all of them, since a rate needs the value from before the first one
            (reason, priority): counters.counter("weir_shed_requests_total", reason=reason, priority=name)
            for reason in METRICS["weir_shed_requests_total"].values["reason"]
            for priority, name in enumerate(PRIORITIES)
        }

    def answered(self, calls: Sequence[Call], rows_of: Sequence[int]) -> None:
        """Count the rows looked at, sample them for the watch, and offer stable's answers to the shadows."""
        arm = calls[0].arm
        arm.metrics.looked_at.inc(sum(rows_of))
        if arm.variant == "constant":  # no prediction: it says nothing of a model
            return
        self._tap.take(calls, rows_of)
        if arm.variant == "stable":
            for call in calls:
                if call.route.shadows:
                    self._shadow_feed.take(call, is_shed=self._gate.sheds_shadow)

    def faulted(self, arm: Arm, counts: dict[tuple[str, str], int], *, refused_rows: int = 0) -> None:
        """Count faults; features that the contract does not know, and rows of the wrong shape, go under ``other``."""
        arm.metrics.looked_at.inc(refused_rows)
        names = {"model": arm.model, "version": arm.version}
        known = {feature.name for feature in arm.contract.features}
        for (feature, kind), rows in counts.items():
            if kind == "rule":
                self._counters.counter("weir_rule_broken_rows_total", **names, rule=feature).inc(rows)
            elif kind in _KINDS:
                told = feature if feature in known else "other"
                self._counters.counter("weir_feature_faults_total", **names, feature=told, kind=kind).inc(rows)

    def shed(self, reason: str, priority: int, count: int = 1) -> None:
        """Count requests that were given up for want of time or room."""
        counter = self._sheds.get((reason, priority))
        if counter is not None:  # where a run was too slow, the request has its outcome, and was not shed
            counter.inc(count)

    def fell_back(self, arm: Arm, reason: FallbackReason) -> None:
        """Count a masked failure."""
        self._counters.counter("weir_canary_fallback_total", model=arm.model, version=arm.version, reason=reason).inc()

    def tripped(self, arm: Arm, reason: FallbackReason) -> None:
        """Show a tripped canary, and say once why and what to do."""
        self._counters.gauge("weir_canary_tripped", model=arm.model, version=arm.version).set(1.0)
        why = f"it fails keys that stable answers (the last with {reason})"
        if reason in ("timeout", "busy"):
            why = f"{arm.strikes} times in a row it was late or its queue was full (the last time {reason})"
        _log.warning(
            "canary %s of %s is taken out on this worker, and stable answers its share: %s; a rollout takes it back by "
            "itself, else run weir rollback %s, or write the route again once the cause is gone",
            arm.version,
            arm.model,
            why,
            arm.model,
            extra={"version": arm.version, "variant": "canary"},
        )

    def passes_over_failures(self, count: int) -> bool:
        """Return whether nobody is to be told of so many failures that no version saw."""
        return self._failure_feed is None or self._failure_feed.passes_over(count)

    def failed(self, call: Call, arm: Arm | None, why: WeirError | FallbackReason) -> None:
        """Count a request that nobody may answer, and sample the failure for the prediction log, where there is one."""
        if arm is None and isinstance(why, ModelNotReady | ModelStopped):
            self._refused(call.route)
        if self._failure_feed is not None:
            self._failure_feed.take(call, arm, why)

    def _refused(self, route: ModelRoute) -> None:
        """Count to the version that the route calls stable; a version that the client names is no label."""
        labels = {"model": route.model, "version": route.stable_version, "variant": "stable", "outcome": "shed"}
        self._counters.counter("weir_requests_total", **labels).inc()
