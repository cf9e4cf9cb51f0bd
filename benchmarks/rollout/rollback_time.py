"""How long a change of the route takes: from the decision to the last answer under the route before.

    PYTHONPATH=. .venv/bin/python -m benchmarks.rollout.rollback_time [--rounds N] [--redis] [--weight]

A gateway with four workers serves eight clients that ask without a pause, half of their keys from a canary. A round
takes the canary out by ``POST rollback`` and puts it back; with ``--weight`` it gives it another weight instead, by
``PUT route``. The time runs from before the request until no client gets an answer under an earlier route any more:
request, write, the look of every worker, and answers that were under way.

Claim: below one second at p99, with either store. With SQLite workers look every 200 ms; Redis tells them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from tests.end_to_end.load import Load
from tests.end_to_end.running import RunningGateway
from tests.models import echo_model, write_bundle
from tests.redis_server import RedisServer

WORKERS, CLIENTS = 4, 8
ROWS = {"instances": [[1]]}
CANARY = {"version": "2", "weight": 50.0}
SETTLE_S = 0.7


Change = Callable[[RunningGateway, httpx.Client], httpx.Response]


def roll_back(_gateway: RunningGateway, client: httpx.Client) -> httpx.Response:
    """Take the canary out."""
    return client.post("/admin/v1/models/m/rollback", json={"reason": "a measurement"})


def change_weight(gateway: RunningGateway, _client: httpx.Client) -> httpx.Response:
    """Give the canary another share."""
    return gateway.put_route("m", stable="1", canary={**CANARY, "weight": 25.0})


def change_s(change: Callable[[], httpx.Response], load: Load) -> float:
    """Change the route; return the seconds until the last answer under an earlier one."""
    began = time.monotonic()
    answer = change()
    assert answer.status_code == 200, answer.text
    revision = answer.json()["revision"]
    while True:
        time.sleep(SETTLE_S)
        late = [found.ended_at for found in load.answers if found.ended_at > began and found.revision < revision]
        last = max(late, default=began)
        if time.monotonic() - last > SETTLE_S / 2:
            return last - began


def rounds_of(gateway: RunningGateway, change: Change, rounds: int) -> list[float]:
    """Return the seconds of each round; a request that is not answered with 200 ends the measurement."""
    chance, seconds = random.Random(1), list[float]()
    with gateway.client() as client:
        for _ in range(rounds):
            # Connections fall to the workers as they open: clients change theirs often, so that all four are seen.
            with Load(gateway.port, "/predict/m", ROWS, n=CLIENTS, renew_every=50) as load:
                assert gateway.put_route("m", stable="1", canary=CANARY).status_code == 200
                load.wait_for(200)
                time.sleep(chance.random() * 0.4)  # workers look at times of their own
                seconds.append(change_s(partial(change, gateway, client), load))
            assert load.failures == [], load.failures[:3]
    return seconds


def main() -> None:
    """Measure with one store, and print one line of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--redis", action="store_true", help="with a redis-server of its own instead of SQLite")
    parser.add_argument("--weight", action="store_true", help="change the weight instead of rolling back")
    asked = parser.parse_args()
    if asked.redis and shutil.which("redis-server") is None:
        parser.error("redis-server is not installed")
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for version in "12":
            write_bundle(folder / "models" / "m" / version, echo_model())
        flags = ["--stable", "m=1"]
        if asked.redis:
            server = stack.enter_context(RedisServer(folder))
            flags += ["--state", server.address]
        environ = {"WEIR_REDIS__FOLDER": str(folder)}
        gateway = RunningGateway(folder / "models", folder / "weir.db", *flags, workers=WORKERS, environ=environ)
        stack.enter_context(gateway)
        gateway.wait_for_workers("m", "2")
        seconds = rounds_of(gateway, change_weight if asked.weight else roll_back, asked.rounds)
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]) * 1e3
    store = "Redis" if asked.redis else "SQLite"
    change = "a weight" if asked.weight else "a rollback"
    print(f"| {change} | {store} | {len(seconds)} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {max(seconds) * 1e3:.0f} |")


if __name__ == "__main__":
    main()
