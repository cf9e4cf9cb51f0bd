from dataclasses import replace

import numpy as np

from benchmarks.detection.calibration import Foretold, calibration_section, wandering

HELD = Foretold("calm", "baseline", 2.0, 0.01, 0.2, 0.4, 0.1, 0.05)


def test_a_family_is_a_row_of_means() -> None:
    said = calibration_section([HELD, replace(HELD, factor=4.0), replace(HELD, null="wild", level="uncalibrated")])
    assert "| calm | 2 | 2 | 3 | 0.01 | 0.2 | 0.4 | 0.1 | 0.05 |" in said
    assert "| wild | 1 | 0 |  |" in said


def test_a_level_that_wanders_keeps_its_spread() -> None:
    rows = wandering(0.5, 50.0).live(np.random.default_rng(1), 50_000)
    assert abs(rows.values_nd.std() - np.hypot(1.0, 0.5)) < 0.05
