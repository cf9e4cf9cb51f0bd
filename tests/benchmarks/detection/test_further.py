import numpy as np
import pytest

from benchmarks.detection.further import further_streams
from benchmarks.detection.gathering import gathering_streams
from benchmarks.detection.streams import Stream


@pytest.mark.parametrize("stream", [*further_streams(), *gathering_streams()], ids=lambda stream: stream.name)
def test_a_further_stream_fits_its_schema_before_and_after(stream: Stream) -> None:
    rng = np.random.default_rng(0)
    for rows in (stream.before(rng, 50), stream.after(rng, 50, np.arange(50.0))):
        assert rows.values_nd.shape == (50, len(stream.features))
        assert np.isfinite(rows.values_nd).all()
