"""An arm: one loaded version in one role, with everything the request path needs bound beforehand."""

from __future__ import annotations

from math import inf, isnan
from typing import Any

import numpy as np

from gateway.batching.lane import Lane
from gateway.codec.decoded import Decoded
from gateway.codec.decoders import Decoders
from gateway.codec.plain import PlainWriter
from gateway.codec.v2_answers import V2Writer
from gateway.contract import Contract
from gateway.engine.version import ServableVersion
from gateway.metrics.shared import Counter, Histogram, SharedCounters
from gateway.phases import PhaseTimes
from monitors.ports import Tripwire
from monitors.records import Variant

__all__ = ["Arm", "ArmMetrics"]


class ArmMetrics:
    """The counters of one arm, bound once: a look-up by label costs ten times an increment."""

    __slots__ = (
        "broken",
        "client_error",
        "duration",
        "looked_at",
        "ok",
        "phases",
        "rows",
        "server_error",
        "shed",
        "timeout",
    )

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
        self.phases = PhaseTimes(counters, model, variant)

    @property
    def taken(self) -> int:
        """Requests that this arm has answered or given up, whatever came of them."""
        counters = (self.ok, self.client_error, self.server_error, self.timeout, self.shed)
        return sum(counter.value for counter in counters)


class Arm:
    """One version playing one role on this worker. Lives on the event loop.

    A canary arm trips by the evidence of its ``tripwire``, or when it has cost the worker its time slice of ``slice_s``
    so often in a row as ``strikes_allowed``: it then takes no traffic until the route changes. ``headers`` and
    ``header_lines`` are those of an answer's headers that never change; ``writer`` writes its plain
    answers, ``v2_writer`` those of the Open Inference Protocol.
    """

    __slots__ = (
        "contract",
        "decoders",
        "header_lines",
        "headers",
        "lane",
        "metrics",
        "model",
        "servable",
        "slice_s",
        "strikes",
        "strikes_allowed",
        "struck_at",
        "tripped",
        "tripwire",
        "v2_writer",
        "variant",
        "version",
        "writer",
    )

    def __init__(
        self,
        servable: ServableVersion,
        variant: Variant,
        *,
        lane: Lane[Any],
        decoders: Decoders,
        metrics: ArmMetrics,
        slice_s: float = 0.25,
        strikes_allowed: int = 3,
        tripwire: Tripwire | None = None,
    ) -> None:
        self.servable, self.variant, self.lane = servable, variant, lane
        self.decoders, self.metrics = decoders, metrics
        self.model, self.version = servable.model, servable.version
        self.contract: Contract = servable.contract
        self.headers = ((b"x-model-version", self.version.encode("ascii")), (b"x-variant", variant.encode("ascii")))
        self.header_lines = b"".join(b"%b: %b\r\n" % pair for pair in self.headers)
        outputs = self.contract.outputs
        classes = outputs.classes if outputs.probabilities else ()
        self.writer = PlainWriter(self.model, self.version, variant, classes)
        self.v2_writer = V2Writer(self.model, self.version, {"variant": variant} if variant == "constant" else {})
        self.slice_s, self.strikes_allowed = slice_s, strikes_allowed
        self.strikes, self.struck_at, self.tripped = 0, -inf, False
        self.tripwire = tripwire

    def decodes_like(self, other: Arm) -> bool:
        """Return whether rows decoded for one of the two can run on the other, and be answered alike."""
        mine, theirs = self.servable, other.servable
        return self.contract == other.contract and mine.inputs == theirs.inputs and mine.outputs == theirs.outputs

    def faults_by_name(self, decoded: Decoded) -> dict[tuple[str, str], int]:
        """Return the faults of a request's rows by name of the feature, or of the rule, and kind."""
        features, rules = self.contract.features, self.contract.rules
        return {(rules[j].name if kind == "rule" else features[j].name, kind): rows for j, kind, rows in decoded.faults}

    def feature_key(self, decoded: Decoded, feature: str) -> str | None:
        """Return the first row's value of a feature as a routing key; ``None`` where it is missing or not a feature."""
        for j, known in enumerate(self.contract.features):
            if known.name == feature:
                assert decoded.values_nd is not None
                value = float(decoded.values_nd[0, j])
                if isnan(value):
                    return None
                return str(np.ravel(decoded.feeds[feature])[0]) if known.dtype == "string" else repr(value)
        return None

    def strike(self, now: float) -> bool:
        """Take a timeout or a full queue at ``perf_counter`` ``now``; return whether this one tripped the arm.

        What comes within half a time slice of the last strike has the same cause and is none of its own: one run that
        is late fails its whole batch and whoever comes until it is back, and one pause of the host makes it late.
        """
        if self.tripped or now < self.struck_at + self.slice_s / 2:
            return False
        self.strikes, self.struck_at = self.strikes + 1, now
        self.tripped = self.strikes >= self.strikes_allowed
        return self.tripped

    def forgive(self, queued_at: float) -> None:
        """Take an answer to a request that was queued then: one that came after the last strike ends the row."""
        if queued_at > self.struck_at:
            self.strikes = 0

    def fails(self, key_hash: int) -> bool:
        """Take a failure of this canary that stable did not repeat; return whether this one tripped the arm."""
        if self.tripwire is None or not self.tripwire.fail(key_hash, by_candidate=True) or self.tripped:
            return False
        self.tripped = True
        return True

    def reset(self, weight_bp: int) -> None:
        """Forget failures: the route has changed, and gives the canary this share of the keys."""
        self.strikes, self.struck_at, self.tripped = 0, -inf, False
        if self.tripwire is not None:
            self.tripwire.reset(weight_bp)
