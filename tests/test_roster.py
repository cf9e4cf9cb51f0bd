"""The roster, pumped tick by tick: what it loads, in which order, what it keeps, tells and forgets."""

import asyncio
import shutil
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.access.tokens import encode_token, new_token, token_key
from gateway.catalog.bundle import BundleLimits
from gateway.catalog.repository import Repository
from gateway.catalog.residency import Residency, shadow_versions, wanted_versions
from gateway.crashes import MOST_LOADS, Crash
from gateway.engine.version import ServableVersion
from gateway.errors import StoreUnavailable, VersionRefused
from gateway.resting import RestKeeper
from gateway.roster import Roster
from gateway.routing.codec import encode_route
from gateway.routing.document import CanaryRoute, RouteDocument, ShadowRoute
from gateway.state.facts import decode_facts
from gateway.state.residency import encode_residency
from gateway.state.store import EMPTY_HEAD, AuditRecord, ChainHead, Document, Write
from tests import models
from tests.serving import HandClock, servable_of

Name = tuple[str, str]


class OneStore:
    """Documents in a dictionary; may go away, and may remember them then."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.facts: dict[str, bytes] = {}
        self.announced = 0
        self.is_away = self.remembers = False

    def put(self, key: str, body: bytes) -> None:
        before = self.documents.get(key)
        self.documents[key] = Document(key, before.revision + 1 if before else 1, body)

    def read(self, key: str) -> Document | None:
        self._answer()
        return self.documents.get(key)

    def read_prefix(self, prefix: str) -> list[Document]:
        if not self.remembers:
            self._answer()
        return [self.documents[key] for key in sorted(self.documents) if key.startswith(prefix)]

    def revision(self) -> int:
        self._answer()
        return sum(document.revision for document in self.documents.values())

    def announce(self, worker: str, facts: bytes, ttl_s: float) -> None:
        self._answer()
        self.announced += 1
        self.facts[worker] = facts

    def retire(self, worker: str) -> None:
        self._answer()
        del self.facts[worker]

    def announcements(self) -> dict[str, bytes]:
        return dict(self.facts)

    def head(self) -> ChainHead:
        return EMPTY_HEAD

    def commit(self, writes: Any, record: AuditRecord, epoch: int | None = None) -> None:
        for write in writes:
            assert isinstance(write, Write)

    def audit(self, after: int = 0, limit: int = 100, resource: str | None = None) -> list[AuditRecord]:
        return []

    def lease(self, name: str, holder: str, ttl_s: float) -> int | None:
        return None

    def close(self) -> None:
        return None

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailable("gone")


class Process:
    """A process with a roster: what it loads and publishes is written down."""

    def __init__(self, root: Path, servable: ServableVersion) -> None:
        self.store, self.clock = OneStore(), HandClock()
        self.servable, self.root = servable, root
        self.loads: list[Name] = []
        self.broken: dict[Name, Exception] = {}
        self.published: list[tuple[dict[str, str], list[Name]]] = []
        self.crashed: dict[Name, Crash] = {}
        self.cannot_publish = False
        self.tidied = 0
        self.when_loaded: Callable[[ServableVersion], None] = lambda _servable: None

    def start(self, wanted: Callable[..., tuple[str, ...]] | None = None, scan_s: float = 0.0, **limits: float) -> None:
        self.uses: dict[Name, int] = {}
        self.rest = RestKeeper(
            self.clock,
            budget_bytes=int(limits.get("budget_bytes", 0)),
            idle_ttl_s=limits.get("idle_ttl_s", 0.0),
            uses=lambda: dict(self.uses),
        )
        self.roster = Roster(
            self.store,
            Repository(self.root, limits=BundleLimits()),
            self.clock,
            worker="w",
            pid=7,
            scan_s=scan_s,
            load=self._load,
            wanted=wanted or (lambda on_disk, route, wishes: wanted_versions(on_disk, route, wishes, limit=2)),
            publish=self._publish,
            tidy=self._tidy,
            rest=self.rest if limits else None,
            crashed=lambda: dict(self.crashed),
        )

    def on_disk(self, *versions: str, model: str = "m") -> None:
        for version in versions:
            (self.root / model / version).mkdir(parents=True)
            (self.root / model / version / "model.onnx").touch()

    def route(self, stable: str, *, model: str = "m", **more: Any) -> None:
        self.store.put(f"route/{model}", encode_route(RouteDocument(model, 0, stable, "salt", **more)))

    def wish(self, *, pinned: tuple[str, ...] = (), unloaded: tuple[str, ...] = ()) -> None:
        self.store.put("residency/m", encode_residency(Residency(pinned, unloaded)))

    async def settle(self) -> None:
        """Tick until nothing is left to do."""
        async with asyncio.timeout(20):
            await self.roster.tick()
            while not self.roster.is_settled:
                await self.roster.tick()
            await self.roster.tick()

    def states(self) -> dict[str, str]:
        return {version: status.state for version, status in self.roster.status().get("m", {}).items()}

    def _load(self, model: str, version: str) -> ServableVersion:
        self.loads.append((model, version))
        if error := self.broken.get((model, version)):
            raise error
        servable = replace(self.servable, model=model, version=version, digest=f"sha256:{version}")
        self.when_loaded(servable)
        return servable

    def _tidy(self) -> None:
        self.tidied += 1

    def _publish(
        self, routes: Mapping[str, RouteDocument], loaded: Mapping[Name, ServableVersion]
    ) -> Mapping[str, int]:
        if self.cannot_publish:
            raise RuntimeError("no memory for another arm")
        self.canary_bp = {model: route.canary.weight_bp for model, route in routes.items() if route.canary}
        self.published.append(({model: route.stable for model, route in routes.items()}, sorted(loaded)))
        return {model: route.revision for model, route in routes.items()}


@pytest.fixture(scope="module")
def servable(tmp_path_factory: pytest.TempPathFactory) -> ServableVersion:
    return servable_of(tmp_path_factory.mktemp("bundle"), models.elementwise("Identity"))


@pytest.fixture
def process(tmp_path: Path, servable: ServableVersion) -> Process:
    return Process(tmp_path, servable)


def run(process: Process, check: Callable[[], Coroutine[Any, Any, None]], **how: Any) -> None:
    async def whole() -> None:
        process.start(**how)
        try:
            await check()
        finally:
            process.store.is_away = False
            await process.roster.announce()
            await process.roster.close()

    asyncio.run(whole())


def test_routed_versions_load_first_then_pinned_then_the_newest(process: Process) -> None:
    process.on_disk("1", "2", "3", "4", "5", "10")
    process.route("2", canary=CanaryRoute("3", 100), previous_stable="1")
    process.wish(pinned=("4",), unloaded=("10",))

    async def check() -> None:
        await process.settle()
        assert [version for _, version in process.loads] == ["2", "3", "1", "4", "5"]

    run(process, check)


def test_one_version_loads_at_a_time_and_each_is_published_when_it_is_ready(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")

    async def check() -> None:
        await process.settle()
        assert process.published == [({"m": "1"}, loaded) for loaded in ([], [("m", "1")], [("m", "1"), ("m", "2")])]

    run(process, check)


def test_nothing_is_published_without_a_change(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.settle()
        before = len(process.published)
        for _ in range(5):
            await process.roster.tick()
        assert len(process.published) == before
        process.route("1", reason="another weight")
        await process.roster.tick()
        assert len(process.published) == before + 1

    run(process, check)


def test_a_version_on_disk_is_noticed_with_the_next_change_of_the_store(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.settle()
        process.on_disk("2")
        process.wish()
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check)


def test_a_new_version_is_noticed_once_its_files_stand_still(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def look() -> dict[str, str]:
        process.clock.now_s += 5.0
        await process.settle()
        return process.states()

    async def check() -> None:
        await process.settle()
        process.on_disk("2")
        process.wish()
        await process.settle()
        assert process.states() == {"1": "ready"}
        assert await look() == {"1": "ready"}
        (process.root / "m" / "2" / "model.onnx").write_bytes(b"more")
        assert await look() == {"1": "ready"}
        assert await look() == {"1": "ready", "2": "ready"}
        assert process.published[-1][0] == {"m": "1"}

    run(process, check, scan_s=5.0)


def test_a_version_that_is_asked_for_does_not_wait_for_the_next_look(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.settle()
        process.on_disk("2")
        process.wish(pinned=("2",))
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check, scan_s=5.0)


def test_a_refused_version_is_tried_again_when_its_files_have_changed(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.broken[("m", "2")] = VersionRefused("m", "2", "half a file")

    async def look() -> int:
        process.clock.now_s += 5.0
        await process.settle()
        return process.loads.count(("m", "2"))

    async def check() -> None:
        await process.settle()
        assert [await look() for _ in range(3)] == [1, 1, 1]
        (process.root / "m" / "2" / "model.onnx").write_bytes(b"the rest")
        del process.broken[("m", "2")]
        assert [await look() for _ in range(3)] == [1, 2, 2]
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check, scan_s=5.0)


def test_a_version_whose_folder_is_gone_is_dropped_unless_it_is_routed(process: Process) -> None:
    process.on_disk("1", "2", "3")
    process.route("3")

    async def check() -> None:
        await process.settle()
        for version in "23":
            shutil.rmtree(process.root / "m" / version)
        process.clock.now_s += 5.0
        await process.settle()
        assert process.states() == {"1": "ready", "3": "ready"}

    run(process, check, scan_s=5.0)


def test_a_refused_version_is_told_and_tried_again_only_when_it_is_asked_for(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.broken[("m", "2")] = VersionRefused("m", "2", "golden row 0 disagrees")

    async def check() -> None:
        await process.settle()
        status = process.roster.status()["m"]["2"]
        assert (status.state, status.why) == ("refused", "m version 2 is refused: golden row 0 disagrees")
        process.route("1", reason="something else")
        await process.settle()
        assert process.loads.count(("m", "2")) == 1
        process.wish(pinned=("2",))
        await process.settle()
        assert process.loads.count(("m", "2")) == 2
        del process.broken[("m", "2")]
        process.wish(pinned=("2",))
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check)


def test_a_version_that_crashed_a_process_is_dropped_and_not_loaded_unless_it_is_relied_on(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")

    async def check() -> None:
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}
        process.crashed = {("m", "1"): Crash("it crashed"), ("m", "2"): Crash("it crashed")}
        await process.settle()
        assert process.states() == {"1": "ready", "2": "crashed"}
        told = process.roster.status()["m"]
        assert (told["1"].why, told["2"].why) == ("relied on, although it crashed", "it crashed")
        assert process.published[-1][1] == [("m", "1")]
        process.route("2", previous_stable="1")
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check)


def test_a_stable_version_that_no_process_survives_loading_is_not_tried_for_ever_and_stays_where_it_is_loaded(
    process: Process,
) -> None:
    process.on_disk("1", "2")
    process.route("1")
    hopeless = {("m", "1"): Crash("it crashed while it was loaded", loads=MOST_LOADS)}

    async def check() -> None:
        process.crashed = hopeless
        await process.settle()
        assert process.states() == {"1": "crashed", "2": "ready"}
        process.crashed = {}
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}
        process.crashed = hopeless
        await process.settle()
        assert process.states() == {"1": "ready", "2": "ready"}

    run(process, check)


def test_a_crash_of_the_loader_is_a_failure_of_that_version_only(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.broken[("m", "2")] = MemoryError()

    async def check() -> None:
        await process.settle()
        assert process.states() == {"1": "ready", "2": "failed"}
        assert process.roster.status()["m"]["2"].why == "MemoryError"
        assert process.roster.is_settled

    run(process, check)


def test_what_is_not_wanted_any_more_is_dropped(process: Process) -> None:
    process.on_disk("1", "2", "3")
    process.route("3")

    async def check() -> None:
        await process.settle()
        assert process.states() == {"2": "ready", "3": "ready"}
        process.wish(unloaded=("2", "3"))
        await process.settle()
        assert process.states() == {"1": "ready", "3": "ready"}
        assert process.published[-1] == ({"m": "3"}, [("m", "1"), ("m", "3")])

    run(process, check)


def test_serving_goes_on_while_the_store_is_away(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")

    async def check() -> None:
        await process.roster.tick()
        process.store.is_away = True
        await process.settle()
        was_up = process.roster.store_is_up
        assert process.states() == {"1": "ready", "2": "ready"}
        assert process.published[-1][1] == [("m", "1"), ("m", "2")]
        process.store.is_away = False
        process.route("2")
        await process.settle()
        assert (was_up, process.roster.store_is_up) == (False, True)
        assert process.published[-1][0] == {"m": "2"}

    run(process, check)


def test_a_process_cut_off_from_the_store_for_long_gives_canaries_no_traffic_until_it_is_back(
    process: Process,
) -> None:
    process.on_disk("1", "2")
    process.route("1", canary=CanaryRoute("2", 5_000))

    async def check() -> None:
        await process.settle()
        process.store.is_away = True
        process.clock.now_s += 890.0
        await process.roster.tick()
        shares = [process.canary_bp]
        process.clock.now_s += 20.0
        await process.roster.tick()
        shares.append(process.canary_bp)
        process.store.is_away = False
        await process.roster.tick()
        assert [*shares, process.canary_bp] == [{"m": 5_000}, {"m": 0}, {"m": 5_000}]

    run(process, check)


def test_a_route_that_cannot_be_read_leaves_its_model_as_it_is_and_others_in_step(process: Process) -> None:
    process.on_disk("1", "2")
    process.on_disk("1", "2", model="other")
    process.route("1")
    process.route("1", model="other")

    async def check() -> None:
        await process.settle()
        process.store.put("route/m", b"{")
        process.store.put("residency/m", b"[]")
        process.route("2", model="other")
        await process.settle()
        assert process.published[-1][0] == {"m": "1", "other": "2"}
        assert set(process.roster.unreadable) == {"route/m", "residency/m"}
        process.route("2")
        process.wish()
        await process.settle()
        assert process.published[-1][0] == {"m": "2", "other": "2"}
        assert process.roster.unreadable == {}

    run(process, check)


def test_tokens_are_followed_and_one_that_cannot_be_read_opens_nothing(process: Process) -> None:
    _, token = new_token("ann", "viewer", now_s=0.0, by="admin", expires_in_s=None)

    async def check() -> None:
        process.store.put(token_key(token.id), encode_token(token))
        await process.settle()
        assert process.roster.tokens == {token.id: token}
        process.store.put(token_key(token.id), b"{}")
        process.store.put(token_key("other"), encode_token(token))
        await process.settle()
        assert process.roster.tokens == {}
        assert set(process.roster.unreadable) == {token_key(token.id), token_key("other")}

    run(process, check)


def test_a_route_under_another_models_key_is_not_taken(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.store.put("route/other", encode_route(RouteDocument("m", 0, "2", "salt")))

    async def check() -> None:
        await process.settle()
        assert process.published[-1][0] == {"m": "1"}
        assert process.roster.unreadable == {"route/other": "route/other: /model: expected 'other', found 'm'"}

    run(process, check)


def test_what_could_not_be_published_is_published_at_the_next_tick(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.settle()
        process.route("1", reason="anew")
        process.cannot_publish = True
        before, announced = len(process.published), process.store.announced
        for _ in range(2):
            with pytest.raises(RuntimeError, match="no memory"):
                await process.roster.tick()
        assert (len(process.published), process.store.announced) == (before, announced + 1)
        process.cannot_publish = False
        await process.roster.tick()
        await process.roster.tick()
        assert len(process.published) == before + 1

    run(process, check)


def test_a_version_that_fails_to_load_takes_nothing_from_the_one_that_serves(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.broken[("m", "2")] = VersionRefused("m", "2", "a golden row disagrees")

    async def check() -> None:
        await process.settle()
        process.route("2", previous_stable="1")
        await process.settle()
        assert process.states() == {"1": "ready", "2": "refused"}
        assert process.published[-1] == ({"m": "2"}, [("m", "1")])

    run(process, check)


def test_a_version_goes_when_its_last_request_has_ended_and_its_memory_after_it(process: Process) -> None:
    process.on_disk("1", "2", "3")
    process.route("3")
    versions: list[ServableVersion] = []

    async def check() -> None:
        process.when_loaded = versions.append
        await process.settle()
        leaving = next(servable for servable in versions if servable.version == "2")
        versions.clear()
        alive, finish = weakref.ref(leaving), threading.Event()

        def request(servable: ServableVersion) -> float:
            finish.wait(10)
            return float(servable.run({"x": np.array([[7.0]], np.float32)}, 1).raw[0][0, 0])

        running = asyncio.get_running_loop().run_in_executor(None, request, leaving)
        del leaving
        process.wish(unloaded=("2", "3"))
        await process.settle()
        assert process.states() == {"1": "ready", "3": "ready"}
        assert (alive() is not None, process.tidied) == (True, 0)
        finish.set()
        assert await running == 7.0
        versions.clear()
        async with asyncio.timeout(10):
            while alive() is not None or not process.tidied:
                await process.roster.tick()
        assert process.tidied == 1

    run(process, check)


def test_a_model_that_nobody_uses_rests_and_comes_back_when_it_is_asked_for(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def later(seconds: float) -> dict[str, str]:
        process.clock.now_s += seconds
        await process.settle()
        return process.states()

    async def check() -> None:
        assert await later(0) == {"1": "ready"}
        assert await later(90) == {"1": "ready"}
        process.uses["m", "1"] = 1
        assert await later(90) == {"1": "ready"}
        assert await later(99) == {"1": "ready"}
        assert await later(2) == {"1": "resting"}
        assert process.roster.status()["m"]["1"].why == "not used for 100 s"
        assert process.published[-1] == ({"m": "1"}, [])
        process.rest.wake("other")
        assert await later(1) == {"1": "resting"}
        process.rest.wake("m")
        assert await later(1) == {"1": "ready"}
        assert await later(101) == {"1": "resting"}
        process.wish(pinned=("1",))
        assert await later(1) == {"1": "ready"}

    run(process, check, idle_ttl_s=100.0)


def test_a_version_that_rests_comes_back_when_a_request_names_it(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("2")

    async def check() -> None:
        await process.settle()
        process.clock.now_s += 101
        process.uses["m", "2"] = 1
        await process.settle()
        assert process.states() == {"1": "resting", "2": "ready"}
        process.rest.ask(("m", "1"))
        await process.roster.tick()
        assert (process.states()["1"], process.rest.returning) == ("loading", frozenset({("m", "1")}))
        await process.settle()
        assert (process.states()["1"], process.published[-1][1]) == ("ready", [("m", "1"), ("m", "2")])
        await process.roster.tick()
        assert process.rest.returning == frozenset()

    run(process, check, idle_ttl_s=100.0)


def test_within_the_memory_budget_the_model_idle_longest_makes_room(process: Process) -> None:
    process.servable = replace(process.servable, memory_bytes=60)

    def add(model: str, version: str = "1") -> None:
        process.on_disk(version, model=model)
        (process.root / model / version / "model.onnx").write_bytes(bytes(60))

    async def ready_after(seconds: float, woken: str = "") -> list[str]:
        process.clock.now_s += seconds
        process.rest.wake(woken)
        await process.settle()
        told = process.roster.status().items()
        return [f"{m}/{v}" for m, versions in sorted(told) for v, status in versions.items() if status.state == "ready"]

    async def check() -> None:
        for model in "abm":
            add(model)
            process.route("1", model=model)
        assert await ready_after(0) == ["a/1"]
        assert process.roster.status()["b"]["1"].why == "the memory budget is used by others"
        assert await ready_after(30, "b") == ["a/1"]
        assert await ready_after(31, "b") == ["b/1"]
        process.uses["b", "1"] = 1
        assert await ready_after(50, "m") == ["b/1"]
        add("a", "2")
        process.route("1", model="a", canary=CanaryRoute("2", 1))
        assert sorted(await ready_after(1)) == ["a/1", "a/2", "b/1"]
        assert sorted(await ready_after(61)) == ["a/1", "a/2"]

    run(process, check, budget_bytes=100)


def test_nothing_is_settled_before_the_store_was_read(process: Process) -> None:
    process.store.is_away = True

    async def check() -> None:
        await process.roster.tick()
        assert not process.roster.is_settled
        process.store.is_away = False
        await process.roster.tick()
        assert process.roster.is_settled

    run(process, check)


def test_a_process_begins_with_what_the_store_remembers_while_it_is_away(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1", canary=CanaryRoute("2", 5_000))
    process.store.is_away = process.store.remembers = True

    async def check() -> None:
        await process.settle()
        assert process.published[-1] == ({"m": "1"}, [("m", "1"), ("m", "2")])
        assert not process.roster.store_is_up
        process.route("2")
        await process.settle()
        assert process.published[-1][0] == {"m": "1"}
        process.store.is_away = False
        await process.settle()
        assert process.published[-1][0] == {"m": "2"}

    run(process, check)


def test_what_did_not_load_for_want_of_the_store_is_tried_again_when_it_is_back(process: Process) -> None:
    process.on_disk("1", "2")
    process.route("1")
    process.store.is_away = process.store.remembers = True
    process.broken = {("m", "1"): StoreUnavailable("gone"), ("m", "2"): VersionRefused("m", "2", "broken")}

    async def check() -> None:
        await process.settle()
        assert process.states() == {"1": "refused", "2": "refused"}
        process.broken.clear()
        process.store.is_away = False
        await process.settle()
        assert process.states() == {"1": "ready", "2": "refused"}

    run(process, check)


def test_what_the_process_has_is_announced_with_a_change_and_once_a_second(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.settle()
        facts = decode_facts(process.store.facts["w"])
        assert (facts.worker, facts.pid, facts.started_at, facts.draining) == ("w", 7, 1_000.0, False)
        assert facts.routes == {"m": 1}
        assert facts.versions["m"]["1"].digest == "sha256:1"
        before = process.store.announced
        await process.roster.tick()
        assert process.store.announced == before
        process.clock.now_s += 1.5
        await process.roster.tick()
        assert process.store.announced == before + 1
        process.roster.draining = True
        await process.roster.announce()
        assert decode_facts(process.store.facts["w"]).draining

    run(process, check)


def test_a_version_that_is_loading_is_announced_as_such(process: Process) -> None:
    process.on_disk("1")
    process.route("1")

    async def check() -> None:
        await process.roster.tick()
        assert process.states() in ({"1": "loading"}, {"1": "ready"})
        assert decode_facts(process.store.facts["w"]).versions["m"]["1"].state == "loading"
        await process.settle()
        assert decode_facts(process.store.facts["w"]).versions["m"]["1"].state == "ready"

    run(process, check)


def test_a_process_that_closes_is_forgotten_by_the_store(process: Process) -> None:
    process.route("1")

    async def check() -> None:
        await process.roster.tick()

    run(process, check)
    assert process.store.facts == {}


def test_a_process_closes_also_while_the_store_is_away(process: Process) -> None:
    async def check() -> None:
        process.start()
        process.store.is_away = True
        await process.roster.close()

    asyncio.run(check())


def test_the_shadow_process_keeps_shadows_only(process: Process) -> None:
    process.on_disk("1", "2", "3")
    process.route("1", shadows=(ShadowRoute("3", 100),))

    async def check() -> None:
        await process.settle()
        assert process.states() == {"3": "ready"}

    run(process, check, wanted=lambda _on_disk, route, _wishes: shadow_versions(route))


@pytest.mark.parametrize(
    ("residency", "wanted"),
    [
        pytest.param(Residency(), ("5", "4", "9", "8"), id="routed and newest"),
        pytest.param(Residency(unloaded=("5", "9")), ("5", "4", "8", "7"), id="routed cannot be unloaded"),
        pytest.param(Residency(pinned=("1", "4")), ("5", "4", "1", "9", "8"), id="pinned beside the newest"),
    ],
)
def test_wanted_versions_follow_from_route_wishes_and_folder(residency: Residency, wanted: tuple[str, ...]) -> None:
    route = RouteDocument("m", 1, "5", "s", CanaryRoute("4", 0))
    assert wanted_versions(["9", "8", "7"], route, residency, limit=2) == wanted
