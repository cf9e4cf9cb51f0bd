"""Memory: what a version takes is known, and comes back when it goes."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from gateway.catalog.bundle import BundleLimits, read_bundle
from gateway.catalog.digests import DigestRegister
from gateway.catalog.repository import Repository
from gateway.engine.loading import load_version, no_hints
from gateway.engine.memory import heap_bytes, return_free_memory
from gateway.loading import version_loader
from gateway.metrics.shared import SharedCounters
from gateway.settings import ServingSettings, Settings
from gateway.state.ledger import Ledger
from gateway.state.sqlite import SqliteStore
from gateway.types import Actor
from tests import models
from tests.serving import HandClock

pytestmark = pytest.mark.skipif(not heap_bytes(), reason="this C library does not tell what is allocated")

LAYERS, WIDTH = 60, 640
WEIGHT_BYTES = LAYERS * WIDTH * WIDTH * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 60 layers of 1.6 MB, each small enough for the allocator to keep its pages when it is freed."""
    random = np.random.default_rng(5)
    weights = [
        numpy_helper.from_array(random.normal(size=(WIDTH, WIDTH), scale=0.04).astype(np.float32), f"w{i}")
        for i in range(LAYERS)
    ]
    nodes = [helper.make_node("MatMul", [f"h{i}", f"w{i}"], [f"h{i + 1}"]) for i in range(LAYERS)]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", WIDTH]) for n in ("h0", f"h{LAYERS}"))
    opsets = [helper.make_opsetid("", models.OPSET)]
    graph = helper.make_graph(nodes, "large", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=models.IR_VERSION)
    return models.write_bundle(tmp_path_factory.mktemp("models") / "m" / "1", bytes(model.SerializeToString()))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_memory_returns_when_versions_go(folder: Path) -> None:
    during, after = list[int](), list[int]()
    serving = ServingSettings(max_batch_rows=4)
    for _ in range(3):
        version = load_version(read_bundle(folder, model="m", version="1"), serving=serving)
        assert version.run({"h0": np.ones((2, WIDTH), np.float32)}, 2).raw[0].shape == (2, WIDTH)
        during.append(resident_bytes())
        del version
        gc.collect()
        return_free_memory()
        after.append(resident_bytes())
    assert after[2] - after[0] < WEIGHT_BYTES / 10
    assert during[2] - after[2] > WEIGHT_BYTES * 0.8


def test_a_loaded_version_says_what_it_took(folder: Path, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db", clock=HandClock())
    clock, serving = HandClock(), ServingSettings(max_batch_rows=4)
    load = version_loader(
        Settings(serving=serving),
        Repository(folder.parent.parent, limits=BundleLimits()),
        DigestRegister(Ledger(store, clock), store),
        Actor("w", "system", "process"),
        SharedCounters.create(tmp_path, "w", role="worker"),
        no_hints,
    )
    took = load("m", "1").memory_bytes
    store.close()
    assert WEIGHT_BYTES <= took < WEIGHT_BYTES * 1.3


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_what_is_allocated_is_counted_and_given_back() -> None:
    before = heap_bytes()
    block = np.ones(1 << 22, np.uint8)
    assert 0 <= heap_bytes() - before - len(block) < 1 << 20
    del block
    assert heap_bytes() - before < 1 << 20
