import numpy as np

from monitors.evidence.budget import Budget
from monitors.evidence.monitor import Config, EvidenceMonitor
from monitors.evidence.repeats import RowMemory
from monitors.evidence.replicas import Replicas
from tests.monitors.evidence.material import model, rows


def test_a_replica_pages_where_the_monitor_pages() -> None:
    fitted, budget = model(6000), Budget(rows_between_false_pages=20_000)
    streams = [rows(np.random.default_rng(seed), 3000, shift=shift) for seed, shift in ((1, 0.0), (2, 0.35), (3, 0.8))]
    counts = np.stack([fitted.channels.block_counts(stream, 10, RowMemory()) for stream in streams], axis=1)
    replicas = Replicas(fitted, budget, 3)
    found = np.array([replicas.step(counts_rcb) for counts_rcb in counts])
    for r, stream in enumerate(streams):
        monitor = EvidenceMonitor(fitted, Config(budget))
        events = [event for event in monitor.replay(stream) if event.level == "page"]
        rows_of_pages = np.repeat(np.arange(10, 3001, 10), found[:, r]).tolist()
        assert rows_of_pages == [event.rows_seen for event in events]
    assert found[:, 0].sum() == 0
    assert found[:, 2].sum() > 10
