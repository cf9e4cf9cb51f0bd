"""Protocols that both packages speak. ``monitors`` calls them; a composition root supplies the implementation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from monitors.records import (  # numpy: not in processes that need a clock
        Alert,
        TrialFindings,
        TrialSpec,
        TrueOutcome,
    )

__all__ = [
    "AlertSink",
    "AlertStore",
    "Clock",
    "FrameSink",
    "MonitorView",
    "TrafficControl",
    "TrialEvidence",
    "Tripwire",
]


class Clock(Protocol):
    """Source of time. ``unix_s`` may step; ``monotonic_s`` never goes back. Both are safe from any thread."""

    def unix_s(self) -> float:
        """Return seconds since the Unix epoch."""

    def monotonic_s(self) -> float:
        """Return seconds since an arbitrary point."""


class FrameSink(Protocol):
    """One end of a bounded channel. Never waits and never raises for a full or broken channel."""

    def send(self, frame: bytes) -> bool:
        """Queue one frame; return False when it was dropped (and counted)."""


class AlertSink(Protocol):
    """Where alert transitions go: a log line, a webhook, the console's event stream."""

    def publish(self, alert: Alert) -> None:
        """Take one transition. Must return at once; a slow sink queues and drops on its own account."""


class AlertStore(Protocol):
    """Durable home of open alerts, so that a restart neither forgets an incident nor pages twice for it."""

    def save(self, alert: Alert) -> None:
        """Store the alert under its id. May raise; the caller keeps the alert and tries again at the next tick."""

    def load_open(self) -> Sequence[Alert]:
        """Return the stored alerts that are not resolved."""


class MonitorView(Protocol):
    """What the monitors know, for those who show it."""

    def knows(self, model: str) -> bool:
        """Return whether a version of the model was ever announced."""

    def report(self, model: str) -> dict[str, Any]:
        """Return the drift report of a model, ready for JSON."""

    def history(self, model: str) -> dict[str, Any]:
        """Return how far a model's streams have moved over the last hours, ready for JSON."""

    def newest(self, model: str) -> list[dict[str, Any]]:
        """Return how far a model's streams have moved now, in short, ready for JSON."""

    def alerts(self) -> Sequence[Alert]:
        """Return the open alerts, then the recently resolved ones."""


class TrafficControl(Protocol):
    """What a monitor may ask of the traffic: only ever to reduce risk."""

    def reduce_canary(self, model: str, version: str, reason: str) -> None:
        """Take the canary's share down to nothing."""


class TrialEvidence(Protocol):
    """Who compares candidates with the versions that serve. One thread at a time."""

    def receive(self, record: object) -> None:
        """Take whatever came over a channel."""

    def follow(self, specs: Sequence[TrialSpec], *, paused: Collection[str] = ()) -> None:
        """Say which trials there are, at most one a model, and of which models new keys do not count for the split."""

    def take_shadow_totals(self, totals: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Take the cumulative counts of failed and dropped shadow requests, by model and version."""

    def take_outcomes(self, model: str, outcomes: Sequence[TrueOutcome]) -> Mapping[str, int]:
        """Take what turned out to be right; return how many were joined, unknown and unusable, under these names."""

    def judge(self) -> Mapping[str, TrialFindings]:
        """End the present block of every trial and return what it says, by model; of one that fails, its fault."""


class Tripwire(Protocol):
    """Who decides on one worker whether a canary is to be given up there, by the worker's own traffic.

    Lives on the event loop, on the request path: ``see`` is O(1). A key counts once until ``reset``. Its hash is the
    router's: the canary has the keys whose hash, modulo 10,000, is below its weight.
    """

    def see(self, key_hash: int) -> None:
        """Take a request that was given to the canary."""

    def fail(self, key_hash: int, *, by_candidate: bool) -> bool:
        """Take a failure, of the canary only one that stable did not repeat; return whether the canary is to go."""

    def reset(self, weight_bp: int) -> None:
        """Begin anew: the route has changed, and gives the canary this share of the keys, in basis points."""
