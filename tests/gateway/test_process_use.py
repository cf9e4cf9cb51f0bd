"""What a process takes of the host."""

from __future__ import annotations

import resource
from pathlib import Path

from gateway.metrics.shared import SharedCounters, read_counters
from gateway.process_use import ProcessUse


def test_processor_time_and_memory_are_those_of_this_process(tmp_path: Path) -> None:
    counters = SharedCounters.create(tmp_path, "w", role="worker")
    use = ProcessUse(counters, "worker")
    use.note()
    use.note()
    used = resource.getrusage(resource.RUSAGE_SELF)
    values = {series.name: series.value for series in read_counters(tmp_path)}
    counters.close()
    assert 0 < values["weir_process_cpu_seconds_total"] <= used.ru_utime + used.ru_stime
    # The kernel sums its peak lazily over cores, so that what is resident now may seem to be a little more.
    assert 1 << 20 < values["weir_process_resident_memory_bytes"] <= used.ru_maxrss * 1024 * 1.1
