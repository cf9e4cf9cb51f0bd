"""Rates as bars."""

from xml.etree import ElementTree

from benchmarks.serving.bars import bars


def test_a_drawing_is_well_formed_and_longer_bars_are_faster_servers() -> None:
    drawing = bars("a & b", {"fast <one>": 1000.0, "slow": 10.0}, {"fast <one>": "Weir", "slow": "peer"})
    widths = [float(bar.get("width", "nan")) for bar in ElementTree.fromstring(drawing) if bar.tag.endswith("rect")]
    assert len(widths) == 2
    assert widths[0] > widths[1] > 0
