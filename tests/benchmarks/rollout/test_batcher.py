"""An equal canary of 5 % behind the real batcher: its batches differ from stable's, and evidence leaves it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.rollout.batcher import summary
from benchmarks.rollout.served import loaded_pair, serve


def test_batches_differ_by_arm_and_an_equal_version_is_not_taken_back(tmp_path: Path) -> None:
    served = serve("small, no pause", loaded_pair(tmp_path, "small"), 3, seconds=0.6)
    assert served.requests["stable"] > served.requests["canary"] > 0
    assert served.rows_a_run("stable") > 2 * served.rows_a_run("canary")
    assert served.keys > 0
    assert served.aborted["default"] == []
    assert "| small, no pause | 2 |" in summary([served, replace(served, seed=4)])
