"""Silent segments: known after as many rows as held a thousand of theirs, until one of them comes."""

import numpy as np

from monitors.evidence.repeats import RowMemory
from monitors.evidence.rows import Rows
from monitors.live.silent import SilentSegments
from tests.monitors.live.test_segments import BLUE, fitted, some_rows
from tests.monitors.material import scores


def test_a_segment_is_silent_until_one_of_its_rows_comes() -> None:
    model, values_nd = fitted().model, some_rows(np.random.default_rng(4), 100)
    assert model is not None
    all_cb = model.channels.counts(Rows(values_nd, scores(values_nd)), RowMemory())
    others_nd = values_nd[values_nd[:, 2] != BLUE]
    others_cb = model.channels.counts(Rows(others_nd, scores(others_nd)), RowMemory())
    silent = SilentSegments(model)
    silent.add(others_cb, 12_000)
    assert silent.places == set()
    silent.add(others_cb, 1_000)
    named = {
        channel.name for channel, is_silent in zip(model.channels.listed, silent.channels_c, strict=True) if is_silent
    }
    assert "age where colour is blue" in named
    assert {name.partition(" where ")[2] for name in named} == {"colour is blue"}
    silent.add(all_cb, 100)
    assert silent.places == set()
    assert not silent.channels_c.any()
