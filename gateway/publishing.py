"""What follows when a worker's routes or loaded versions have changed: a new table, gauges, and news for the watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from gateway.apply_delay import ApplyDelay
from gateway.arms import ArmKeeper
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.residents import Residents
from gateway.resting import RestKeeper
from gateway.routing.document import RouteDocument
from gateway.tap import Tap

__all__ = ["Publisher"]

Name = tuple[str, str]
Introduce = Callable[[ServableVersion], bytes]


class Publisher:
    """Puts changes of a worker's roster into force. On the event loop.

    Parameters
    ----------
    introduce
        Gives the frame that tells the watch of a version.
    tell_watch
        Sends a frame, or drops it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        keeper: ArmKeeper,
        tap: Tap,
        rest: RestKeeper,
        counters: SharedCounters,
        apply_delay: ApplyDelay,
        *,
        introduce: Introduce,
        tell_watch: Callable[[bytes], object],
    ) -> None:
        self._pipeline, self._keeper, self._tap, self._rest = pipeline, keeper, tap, rest
        self._counters, self._apply_delay = counters, apply_delay
        self._introduce, self._tell_watch = introduce, tell_watch
        self._residents = Residents(counters)
        self._loaded: Mapping[Name, ServableVersion] = {}

    def publish(self, routes: Mapping[str, RouteDocument], loaded: Mapping[Name, ServableVersion]) -> Mapping[str, int]:
        """Serve by these routes and versions from now on; return the revision applied for each model."""
        before = self._keeper.arms()
        self._pipeline.table = table = self._keeper.build(routes, loaded, self._rest)
        self._tap.forget(before - self._keeper.arms())
        fresh = [servable for name, servable in loaded.items() if self._loaded.get(name) is not servable]
        self._loaded = loaded
        self._residents.show(loaded)
        for servable in fresh:
            self._tell_watch(self._introduce(servable))
        applied = {model: route.revision for model, route in table.routes.items()}
        self._apply_delay.note(routes, applied)
        return applied

    def introductions(self) -> Iterable[bytes]:
        """Return the frames that tell a watch which has just connected of every loaded version."""
        return [self._introduce(servable) for servable in self._loaded.values()]

    def show_queues(self) -> None:
        """Set the gauges of the rows that wait."""
        queued: Counter[Name] = Counter()
        for arm in self._keeper.arms():
            queued[(arm.model, arm.version)] += arm.lane.queued_rows
        for (model, version), rows in queued.items():
            self._counters.gauge("weir_queue_rows", model=model, version=version).set(rows)
