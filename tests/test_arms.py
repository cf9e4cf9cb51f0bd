"""Routes of models some of whose versions are not in memory, and where a stable version runs."""

import asyncio
from pathlib import Path
from threading import current_thread
from time import perf_counter
from typing import Any

import pytest

from gateway.admission.gate import Gate
from gateway.admission.limit import ConcurrencyLimit
from gateway.arms import ArmKeeper
from gateway.call import Call
from gateway.engine.outputs import Outputs
from gateway.engine.version import ServableVersion
from gateway.errors import ModelNotReady, VersionUnknown
from gateway.metrics.shared import SharedCounters
from gateway.pipeline import Pipeline
from gateway.resting import RestKeeper
from gateway.routing.document import RouteDocument
from gateway.settings import ServingSettings, Settings
from tests.models import echo_model, slow_model
from tests.pipeline.ground import Notes
from tests.serving import TRIPWIRES, HandClock, servable_of

DOCUMENTS = {"m": RouteDocument("m", 1, "1", "salt")}


class Wakes(RestKeeper):
    """Remembers who was woken."""

    def __init__(self) -> None:
        super().__init__(HandClock(), budget_bytes=0, idle_ttl_s=1.0, uses=dict)
        self.woken: list[str] = []
        self.asked: list[tuple[str, str]] = []

    def wake(self, model: str) -> None:
        self.woken.append(model)

    def ask(self, name: tuple[str, str]) -> None:
        self.asked.append(name)


def test_a_request_for_a_model_that_rests_is_told_so_and_wakes_it_until_it_is_back(tmp_path: Path) -> None:
    async def check() -> None:
        counters = SharedCounters.create(tmp_path, "w", role="worker")
        keeper, rest = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES), Wakes()
        rest.resting = {("m", "1"): "not used for 1 s"}
        route = keeper.build(DOCUMENTS, {}, rest).find("m")
        with pytest.raises(ModelNotReady, match=r"version 1 rests on disk \(not used for 1 s\)"):
            route.choose("key")
        assert rest.woken == ["m"]
        rest.resting = {}
        with pytest.raises(ModelNotReady, match="version 1 comes back from disk"):
            keeper.build(DOCUMENTS, {}, rest).find("m").choose("key")
        assert keeper.uses() == {}
        keeper.close()

    asyncio.run(check())


def test_a_stable_version_that_never_loaded_is_missed(tmp_path: Path) -> None:
    async def check() -> None:
        counters = SharedCounters.create(tmp_path, "w", role="worker")
        keeper = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES)
        for rest in (None, Wakes()):
            route = keeper.build(DOCUMENTS, {}, rest).find("m")
            assert (route.stable, route.wake) == (None, None)
            assert "its stable version 1 is not loaded" in route.why
        keeper.close()

    asyncio.run(check())


def test_a_request_that_names_a_version_that_rests_wakes_it_until_it_is_back(tmp_path: Path) -> None:
    async def check() -> None:
        counters = SharedCounters.create(tmp_path, "w", role="worker")
        keeper, rest = ArmKeeper(asyncio.get_running_loop(), counters, Settings(), tripwires=TRIPWIRES), Wakes()
        stable, old = servable_of(tmp_path / "1", echo_model()), servable_of(tmp_path / "2", echo_model())

        rest.resting = {("m", "2"): "not used for 1 s", ("other", "3"): "not used for 1 s"}
        route = keeper.build(DOCUMENTS, {("m", "1"): stable}, rest).find("m")
        with pytest.raises(
            ModelNotReady, match=r"m version 2 cannot answer now: it rests on disk \(not used for 1 s\)"
        ):
            route.pin("2")
        with pytest.raises(VersionUnknown):
            route.pin("3")
        assert (rest.asked, rest.woken) == ([("m", "2")], [])
        assert route.choose("key").version == "1"

        rest.resting, rest.returning = {}, frozenset({("m", "2")})
        with pytest.raises(ModelNotReady, match="it comes back from disk"):
            keeper.build(DOCUMENTS, {("m", "1"): stable}, rest).find("m").pin("2")

        rest.returning = frozenset()
        loaded = {("m", "1"): stable, ("m", "2"): old}
        assert keeper.build(DOCUMENTS, loaded, rest).find("m").pin("2").servable is old
        keeper.close()

    asyncio.run(check())


@pytest.mark.parametrize(
    ("model", "serving", "callers", "cores", "leaves_loop"),
    [
        (echo_model(), ServingSettings(on_loop_ms=1e-6, alone_on_loop_ms=1e3), 1, 2, False),
        (echo_model(), ServingSettings(on_loop_ms=1e-6, alone_on_loop_ms=1e3), 2, 2, True),
        (echo_model(), ServingSettings(on_loop_ms=1e-6, alone_on_loop_ms=1e3), 2, 1, False),
        (echo_model(), ServingSettings(on_loop_ms=1e-6, alone_on_loop_ms=0.0), 1, 1, True),
        (echo_model(), ServingSettings(on_loop_ms=0.0, alone_on_loop_ms=1e3), 1, 1, True),
        (slow_model(), ServingSettings(on_loop_ms=1e-6, alone_on_loop_ms=1e3), 1, 1, True),
    ],
    ids=["alone", "not alone", "no core beside", "never", "nothing on the loop", "a row may make it long"],
)
def test_a_run_that_is_long_for_the_loop_is_on_it_only_where_nobody_else_waits_or_collects(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: bytes,
    serving: ServingSettings,
    callers: int,
    cores: int,
    leaves_loop: bool,
) -> None:
    monkeypatch.setattr("gateway.arms.cores_of_one_worker", lambda _workers: cores)

    async def check() -> None:
        servable = servable_of(tmp_path / "1", model, serving=serving)
        counters = SharedCounters.create(tmp_path, "w", role="worker")
        gate, settings = Gate(ConcurrencyLimit(), now_s=perf_counter()), Settings(serving=serving)
        keeper = ArmKeeper(asyncio.get_running_loop(), counters, settings, tripwires=TRIPWIRES, traffic=gate)
        pipeline = Pipeline(Notes(), gate=gate)
        pipeline.table = keeper.build(DOCUMENTS, {("m", "1"): servable})
        used = set[str]()
        run = ServableVersion.run

        def noted(*arguments: Any) -> Outputs:
            used.add(current_thread().name)
            return run(*arguments)

        monkeypatch.setattr(ServableVersion, "run", noted)
        for i in range(10):
            used.clear()
            asked = [
                Call("m", None, "plain", b'{"instances": [[1.5]]}', f"{i}", perf_counter()) for _ in range(callers)
            ]
            for call in await asyncio.gather(*map(pipeline.predict, asked)):
                assert call.outputs.raw[0].tolist() == [[1.5]]
        assert (used != {current_thread().name}) == leaves_loop
        keeper.close()

    asyncio.run(check())
