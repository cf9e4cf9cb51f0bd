"""The route table: an immutable snapshot that answers "who answers this request" without a lock or I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.arm import Arm
from gateway.errors import ModelNotReady, ModelStopped, ModelUnknown, VersionUnknown
from gateway.routing.document import FULL_BP
from gateway.routing.split import bucket, key_hash

__all__ = ["ModelRoute", "RouteTable", "ShadowSample"]


@dataclass(frozen=True, slots=True)
class ShadowSample:
    """A shadow version and the share of stable's answers that it sees, drawn with a salt of its own."""

    version: str
    sample_bp: int
    salt: bytes

    def takes(self, request_id: str) -> bool:
        """Return whether this request is in the sample."""
        return self.sample_bp >= 10_000 or bucket(self.salt, request_id) < self.sample_bp


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """One model's arms at one revision.

    ``why`` says why there is no stable arm; ``wake``, there if its version rests on disk, is told of requests that miss
    it. ``asleep`` has the versions that rest, each with the reason, and ``ask`` is told of requests that name one.
    ``is_stopped`` says that the model is in its safe state: ``stable`` alone answers, or nobody.
    ``key_feature`` names the feature that is the routing key where the client sends none. ``stable_version`` is the
    version that the document calls stable, be it loaded or not.
    """

    model: str
    revision: int
    stable: Arm | None
    canary: Arm | None = None
    canary_bp: int = 0
    salt: bytes = b""
    shadows: tuple[ShadowSample, ...] = ()
    pinned: Mapping[str, Arm] = field(default_factory=dict)
    why: str = ""
    key_feature: str | None = None
    wake: Callable[[str], None] | None = None
    asleep: Mapping[str, str] = field(default_factory=dict)
    ask: Callable[[tuple[str, str]], None] | None = None
    is_stopped: bool = False
    stable_version: str = ""

    def choose(self, key: str) -> Arm:
        """Return the arm of a routing key.

        Raises
        ------
        gateway.errors.ModelNotReady, gateway.errors.ModelStopped
            There is no stable version ready; the model is stopped.
        """
        canary = self.canary
        if canary is not None and not canary.tripped:
            hashed = key_hash(self.salt, key)
            if hashed % FULL_BP < self.canary_bp:
                if canary.tripwire is not None:
                    canary.tripwire.see(hashed)
                return canary
        return self.stable or self.stable_arm()

    def stable_arm(self) -> Arm:
        """Return the stable arm; raise ``ModelNotReady`` or ``ModelStopped``."""
        if self.stable is None:
            if self.is_stopped:
                raise ModelStopped(self.model)
            if self.wake is not None:
                self.wake(self.model)
            raise ModelNotReady(self.model, why=self.why or "no stable version is loaded")
        return self.stable

    def pin(self, version: str) -> Arm:
        """Return the arm of a version that the client named.

        Raises
        ------
        gateway.errors.VersionUnknown, gateway.errors.ModelNotReady, gateway.errors.ModelStopped
            It is not kept here; it rests on disk, and is asked for now; the model is stopped.
        """
        arm = self.pinned.get(version)
        if arm is not None:
            return arm
        if self.is_stopped:
            raise ModelStopped(self.model, version)
        why = self.asleep.get(version)
        if why is None or self.ask is None:
            raise VersionUnknown(self.model, version)
        self.ask((self.model, version))
        raise ModelNotReady(self.model, version, why)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All models' routes. Swapped whole, by one assignment; a request keeps the snapshot it began with."""

    routes: Mapping[str, ModelRoute] = field(default_factory=dict)
    default_model: str | None = None

    def find(self, model: str | None) -> ModelRoute:
        """Return a model's route; ``None`` asks for the default model.

        Raises
        ------
        gateway.errors.ModelUnknown
        """
        route = self.routes.get(model or self.default_model or "")
        if route is not None:
            return route
        raise ModelUnknown(model or self.default_model or "(none named, and several are served)")
