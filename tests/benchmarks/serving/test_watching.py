"""The switch of the benchmark that says what watching costs."""

import os
import subprocess
import sys
from pathlib import Path

import benchmarks.serving

SWITCH = Path(benchmarks.serving.__file__).parent / "switch"
PROGRAM = """
import os, signal
from gateway.sampling import RateSampler

sampler = RateSampler(5, seed=0)
for _ in range(3):
    print(sampler.rows_per_s, sum(sampler.keep(1, now_s=float(sampler.rows_per_s)) for _ in range(9)))
    os.kill(os.getpid(), signal.SIGUSR2)
"""


def test_a_signal_sets_a_worker_to_one_row_a_second_and_back() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SWITCH)}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.splitlines() == ["5 5", "1 1", "5 5"]
