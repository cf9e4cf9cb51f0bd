"""The detector that is told the change: what Weir's delays are measured against."""

from itertools import chain

import numpy as np
import pytest

from benchmarks.detection.contestants import STEP_ROWS
from benchmarks.detection.further import further_streams
from benchmarks.detection.informed import KNOWN, informed_paths
from benchmarks.detection.nulls import dependent_streams
from benchmarks.detection.streams import Stream, synthetic_streams

KNOWN_STREAMS = [s for s in chain(synthetic_streams(), dependent_streams(), further_streams()) if s.name in KNOWN]


def test_every_known_law_is_of_a_stream() -> None:
    assert {stream.name for stream in KNOWN_STREAMS} == set(KNOWN)


def test_it_sums_over_every_start() -> None:
    nats = np.log([2.0, 0.5, 3.0]) / STEP_ROWS
    paths = informed_paths(np.tile(np.repeat(nats, STEP_ROWS), 2), 2)
    assert paths == pytest.approx(np.array([[2.0, 1.5, 7.5]] * 2))


@pytest.mark.parametrize("stream", KNOWN_STREAMS, ids=lambda stream: stream.name)
def test_its_ratios_lean_to_the_change_and_away_from_none(stream: Stream) -> None:
    rng = np.random.default_rng(9)
    ratios = KNOWN[stream.name]
    before = ratios(stream.before(rng, 10_000).values_nd)
    after = ratios(stream.after(rng, 10_000, np.full(10_000, 5_000.0)).values_nd)
    assert before.mean() < 0 < after.mean()
    repeats = before == 0.0
    assert np.exp(before[~repeats]).mean() < 1.15
