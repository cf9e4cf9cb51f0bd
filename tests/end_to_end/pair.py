"""Two gateways that share a Redis, each over a wire of its own that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.state.ledger import verify
from gateway.state.redis import RedisStore
from gateway.state.store import AuditRecord
from tests.end_to_end.relay import Relay
from tests.end_to_end.running import RunningGateway
from tests.redis_server import RedisServer

__all__ = ["Host", "Pair", "running_pair"]


@dataclass(frozen=True, slots=True)
class Host:
    """One gateway, and its wire to Redis."""

    gateway: RunningGateway
    relay: Relay

    @property
    def watch(self) -> int:
        """The process id of its watch."""
        return self.gateway.children("gateway.watch")[0]

    def rollout(self, model: str) -> Any:
        """Return a model's newest rollout as this host tells it."""
        with self.gateway.client() as client:
            return client.get(f"/admin/v1/rollouts/{model}").json()["rollout"]

    def start(self, model: str, plan: object) -> None:
        """Begin a rollout of version 2."""
        with self.gateway.client() as client:
            body = {"model": model, "version": "2", "reason": "a test", "plan": plan}
            answer = client.post("/admin/v1/rollouts", json=body)
        assert answer.status_code == 201, answer.text

    def act(self, model: str, verb: str, key: str) -> int:
        """Ask for something with an idempotency key, and return the status of the answer."""
        with self.gateway.client() as client:
            return client.post(f"/admin/v1/rollouts/{model}/{verb}", headers={"idempotency-key": key}).status_code

    def wait_for(self, model: str, *states: str) -> None:
        """Wait until a rollout is in one of some states."""
        self.gateway.wait_until(lambda: self.rollout(model)["state"] in states, f"{model} {' or '.join(states)}")

    def canary(self, model: str) -> Any:
        """Return the canary of a model's route."""
        with self.gateway.client() as client:
            return client.get(f"/admin/v1/models/{model}/route").json()["canary"]

    def has_applied(self, model: str, revision: int) -> bool:
        """Return whether the worker says that it answers by a revision of the route, or a later one."""
        with self.gateway.client() as client:
            answer = client.post(f"/predict/{model}", json={"instances": [[1]]})
        return int(answer.headers.get("x-route-revision", "0")) >= revision

    def is_degraded(self) -> bool:
        """Return whether the worker is ready and says that the store is away."""
        with self.gateway.client() as client:
            answer = client.get("/readyz")
        assert answer.status_code == 200, answer.text
        return any("the state store is away" in why for why in answer.json()["degraded"])


@dataclass(frozen=True, slots=True)
class Pair:
    """Two hosts and what they share."""

    server: RedisServer
    hosts: tuple[Host, Host]

    def holder(self) -> str:
        """Return who holds the lease of the rollouts."""
        found = self.server.tell("HGET", "weir:{weir}:lease/rollouts", "holder")
        return found.decode() if isinstance(found, bytes) else ""

    def leads(self, host: Host) -> bool:
        """Return whether a host's watch holds the lease."""
        return f"-watch-{host.watch}-" in self.holder()

    def leader_first(self) -> tuple[Host, Host]:
        """Return the host whose watch leads the rollouts, and the other one."""
        one, two = self.hosts
        one.gateway.wait_until(lambda: self.leads(one) or self.leads(two), "led by one of the two")
        return (one, two) if self.leads(one) else (two, one)

    def audited(self, resource: str) -> list[AuditRecord]:
        """Return the records of a resource, after checking the whole chain."""
        store = RedisStore(self.server.address)
        records = store.audit(limit=100_000)
        store.close()
        assert verify(records).sequence == len(records)
        return [record for record in records if record.resource == resource]


@contextmanager
def running_pair(folder: Path, models: Path, *flags: str) -> Iterator[Pair]:
    """Run Redis and two gateways of one worker each until the end of the block."""
    with ExitStack() as stack:
        (folder / "redis").mkdir()
        server = stack.enter_context(RedisServer(folder / "redis"))
        hosts = []
        for name in ("one", "two"):
            relay = stack.enter_context(Relay(server.port))
            own = folder / name
            own.mkdir()
            state = f"redis://127.0.0.1:{relay.port}/0"
            environ = {"WEIR_REDIS__FOLDER": str(own)}
            gateway = RunningGateway(models, own / "gateway", "--state", state, *flags, workers=1, environ=environ)
            hosts.append(Host(stack.enter_context(gateway), relay))
        yield Pair(server, (hosts[0], hosts[1]))
