"""An arm: one loaded version in one role, with everything the request path needs bound beforehand."""

from __future__ import annotations

from gateway.batching.lane import Lane
from gateway.codec.decoders import Decoders
from gateway.contract import Contract
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import Counter, Histogram, SharedCounters
from monitors.records import Variant

__all__ = ["Arm", "ArmMetrics"]


class ArmMetrics:
    """The counters of one arm, bound once: a look-up by label costs ten times an increment."""

    __slots__ = ("broken", "client_error", "duration", "looked_at", "ok", "rows", "server_error", "shed", "timeout")

    def __init__(self, counters: SharedCounters, model: str, version: str, variant: Variant) -> None:
        def outcome(name: str) -> Counter:
            return counters.counter("weir_requests_total", model=model, version=version, variant=variant, outcome=name)

        def of_stream(name: str) -> Counter:
            return counters.counter(name, model=model, version=version, variant=variant)

        self.ok, self.client_error = outcome("ok"), outcome("client_error")
        self.server_error, self.timeout, self.shed = outcome("server_error"), outcome("timeout"), outcome("shed")
        self.rows, self.broken = of_stream("weir_rows_total"), of_stream("weir_broken_outputs_total")
        self.looked_at = counters.counter("weir_contract_rows_total", model=model, version=version)
        self.duration: Histogram = counters.histogram(
            "weir_request_duration_seconds", model=model, version=version, variant=variant
        )


class Arm:
    """One version playing one role on this worker. Lives on the event loop.

    A canary arm trips after ``strikes`` failures in a row: it then takes no traffic until the route changes.
    ``header_lines`` are those of an answer's headers that never change.
    """

    __slots__ = (
        "contract",
        "decoders",
        "header_lines",
        "lane",
        "metrics",
        "model",
        "servable",
        "strikes",
        "strikes_allowed",
        "tripped",
        "variant",
        "version",
    )

    def __init__(
        self,
        servable: ServableVersion,
        variant: Variant,
        *,
        lane: Lane,
        decoders: Decoders,
        metrics: ArmMetrics,
        strikes_allowed: int = 3,
    ) -> None:
        self.servable, self.variant, self.lane = servable, variant, lane
        self.decoders, self.metrics = decoders, metrics
        self.model, self.version = servable.model, servable.version
        self.contract: Contract = servable.contract
        self.header_lines = f"x-model-version: {self.version}\r\nx-variant: {variant}\r\n".encode("ascii")
        self.strikes, self.strikes_allowed, self.tripped = 0, strikes_allowed, False

    def decodes_like(self, other: Arm) -> bool:
        """Return whether rows decoded for one of the two can run on the other, and be answered alike."""
        mine, theirs = self.servable, other.servable
        return self.contract == other.contract and mine.inputs == theirs.inputs and mine.outputs == theirs.outputs

    def strike(self) -> bool:
        """Count a failure; return whether this one tripped the arm."""
        self.strikes += 1
        if self.strikes >= self.strikes_allowed and not self.tripped:
            self.tripped = True
            return True
        return False

    def reset(self) -> None:
        """Forget failures: the route has changed."""
        self.strikes, self.tripped = 0, False
