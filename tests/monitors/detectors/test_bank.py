"""The bank: detectors over the signals of one stream."""

import numpy as np
import numpy.typing as npt

from monitors.detectors.bank import DetectorBank
from monitors.detectors.base import Detector, Floats
from monitors.detectors.page_hinkley import PageHinkley
from monitors.signals import Signals
from monitors.summary import Layout, summarise
from tests.monitors.material import info, observe, profile, rows

LAYOUT = Layout.of(info(), profile())
SIGNALS = Signals.of(LAYOUT, features=64)


def cells(rng: np.random.Generator, n: int, *, shift: float = 0.0) -> npt.NDArray[np.int64]:
    """Return the cells of rows, with the age moved."""
    values_nd = rows(rng, n)
    values_nd[:, 1] += shift
    return summarise(LAYOUT, observe(values_nd, 1000.0), 2000)[1_000_000].cells


class Raising(Detector):
    """A detector that breaks at its third update."""

    is_warm = True

    def __init__(self, streams: int | tuple[int, ...]) -> None:
        super().__init__(streams)
        self.reset()

    def _step(self, x_s: Floats) -> None:
        if self.n_seen == 3:
            raise RuntimeError("broken")


class Infinite(Raising):
    """A detector that divides by nothing."""

    def _step(self, x_s: Floats) -> None:
        self.statistic = np.full(self.shape, np.inf)


class Unmade(Raising):
    """A detector that cannot be made."""

    def __init__(self, streams: int | tuple[int, ...]) -> None:
        raise TypeError("not so")


def test_a_move_is_told_with_signal_and_time_and_others_stay_silent() -> None:
    bank, rng = DetectorBank({"page-hinkley": PageHinkley}, SIGNALS), np.random.default_rng(1)
    for tick in range(80):
        bank.take(cells(rng, 200, shift=10.0 if tick >= 50 else 0.0), 200, float(tick))
    (finding,) = bank.findings()
    spoke = {signal.signal: signal for signal in finding.signals if signal.detections}
    assert (finding.detector, finding.is_warm, finding.n_seen, finding.failed) == ("page-hinkley", True, 80, "")
    assert spoke["feature/age"].detected_at == 53.0
    assert "feature/colour" not in spoke
    assert "feature/https" not in spoke


def test_ticks_with_few_rows_are_pooled() -> None:
    bank, rng = DetectorBank({"page-hinkley": PageHinkley}, SIGNALS), np.random.default_rng(1)
    for tick in range(10):
        bank.take(cells(rng, 20), 20, float(tick))
        bank.take(np.zeros(LAYOUT.size, dtype=np.int64), 0, float(tick))
    assert bank.findings()[0].n_seen == 3


def test_a_detector_that_raises_is_taken_out_and_the_others_go_on() -> None:
    detectors: dict[str, type[Detector]] = {"raising": Raising, "unmade": Unmade, "page-hinkley": PageHinkley}
    bank, rng = DetectorBank(detectors, SIGNALS), np.random.default_rng(1)
    for tick in range(5):
        bank.take(cells(rng, 100), 100, float(tick))
    found = {finding.detector: finding for finding in bank.findings()}
    assert found["raising"].failed == "RuntimeError: broken"
    assert found["unmade"].failed == "TypeError: not so"
    assert (found["raising"].n_seen, found["page-hinkley"].n_seen) == (2, 5)


def test_a_statistic_that_is_not_finite_takes_its_detector_out_and_not_the_report() -> None:
    bank = DetectorBank({"infinite": Infinite}, SIGNALS)
    bank.take(cells(np.random.default_rng(1), 100), 100, 1.0)
    (found,) = bank.findings()
    assert found.failed == "ValueError: its statistic is not finite"
    assert {signal.statistic for signal in found.signals} == {0.0}


def test_without_signals_or_detectors_there_is_nothing_to_find() -> None:
    assert DetectorBank({"page-hinkley": PageHinkley}, Signals(())).findings() == ()
    assert DetectorBank({}, SIGNALS).findings() == ()
