"""What the supervisor decides without any process."""

import subprocess
import sys

from gateway.supervisor import restart_pause_s


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_up_to_five_seconds() -> None:
    pauses = [restart_pause_s(deaths) for deaths in range(12)]
    assert pauses[:4] == [0.0, 0.2, 0.4, 0.8]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0


def test_a_process_that_dies_for_days_does_not_take_the_supervisor_with_it() -> None:
    assert restart_pause_s(100_000) == 5.0


def test_the_supervisor_and_the_command_load_no_numerical_library() -> None:
    """They would cost memory for as long as the gateway runs."""
    told = "import sys, gateway.cli, gateway.supervisor; print(*{'numpy', 'onnx', 'onnxruntime'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, check=True, text=True).stdout == "\n"
