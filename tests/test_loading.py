"""The loader of a process: what it counts, which priority it works at, and how it divides threads."""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog.bundle import BundleLimits
from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.errors import VersionRefused
from gateway.gently import NICENESS
from gateway.governance.policy import Policy
from gateway.loading import version_loader
from gateway.metrics.shared import SharedCounters
from gateway.roster import Loader
from gateway.settings import ServingSettings, Settings
from gateway.signing.trust import NOBODY, Trust
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from tests import models
from tests.serving import HandClock, counted


class Place:
    """A folder of models, a store, and a loader; ``priorities`` are those of the threads that built versions."""

    def __init__(self, root: Path) -> None:
        self.root, self.store = root, SqliteStore(root / "state.db", clock=HandClock())
        self.priorities: list[int] = []

    def add(self, version: str, serving: str = "{}", model_bytes: bytes | None = None) -> None:
        manifest = {"model.yaml": f"schema_version: 1\nserving: {serving}\n"}
        models.write_bundle(self.root / "models" / "m" / version, model_bytes or models.echo_model(), **manifest)

    def loader(self, threads: int = 4, trust: Trust = NOBODY) -> Loader:
        return version_loader(
            Settings(serving=ServingSettings(threads=threads, max_batch_rows=2)),
            Repository(self.root / "models", limits=BundleLimits(), trust=trust),
            DigestRegister(Ledger(self.store, HandClock()), self.store),
            Actor("w", "system", "process"),
            SharedCounters.create(self.root, "w", role="worker"),
            self._hints,
        )

    def _hints(self, _reference: bytes) -> Mapping[str, Any]:
        self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return {}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.store.close()


def test_loads_are_counted_by_what_became_of_them(place: Place) -> None:
    place.add("1")
    place.add("2", model_bytes=models.custom_domain_model())
    load = place.loader()
    assert load("m", "1").version == "1"
    with pytest.raises(VersionRefused):
        load("m", "2")
    assert [counted(place.root, "weir_model_loads_total", result=r) for r in ("ready", "refused", "failed")] == [
        1,
        1,
        0,
    ]


def test_a_version_is_built_at_low_priority_unless_it_gets_threads_that_would_inherit_it(place: Place) -> None:
    for version, threads in (("1", 1), ("2", 2)):
        place.add(version, f"{{threads: {threads}}}")
    load, mine = place.loader(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    kept = [load("m", "1"), load("m", "2")]
    assert place.priorities == [max(NICENESS, mine), mine]
    assert len(kept) == 2


def test_threads_beyond_the_budget_are_not_granted_and_the_log_says_so(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.add("1", "{threads: 8}")
    with caplog.at_level(logging.WARNING, "weir.loading"):
        place.loader(threads=2)("m", "1")
    assert "m version 1 asks for 8 threads and gets 2" in caplog.text


def test_an_unsigned_version_is_warned_of_where_the_policy_says_so(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.add("1")
    with caplog.at_level(logging.WARNING, "weir.loading"):
        assert place.loader(trust=Trust(policy=Policy(models={"m": "limited"})))("m", "1").version == "1"
    assert "m version 1 of the tier limited is not signed by a trusted key" in caplog.text


def test_an_unsigned_version_is_refused_where_the_policy_says_so(place: Place) -> None:
    place.add("1")
    with pytest.raises(VersionRefused, match="the policy demands that of the tier high"):
        place.loader(trust=Trust(policy=Policy(models={"m": "high"})))("m", "1")
