import math
from xml.etree import ElementTree

from gateway.commands.replay.incidents import IncidentList
from gateway.commands.replay.picture import BINS, EvidenceTrace, draw_replay
from monitors.drift_monitor import Finding

PAGE = Finding("page", "inputs", 1000, None, 100, 10.0, 9.0, (), "profile")
WARNING = Finding("warning", "answers", 500, None, 100, 10.0, 9.0, (), "profile")


def test_the_largest_evidence_of_a_span_is_kept_in_little_memory() -> None:
    trace = EvidenceTrace(["inputs"])
    for row in range(10, 1_000_001, 10):
        trace.add(row, {"inputs": 5.0 if row == 500_000 else 0.01})
    nats = trace.nats["inputs"]
    assert len(nats) <= 2 * BINS
    assert max(nats) == math.log(5.0)
    assert nats.index(max(nats)) == 500_000 // trace.span_rows
    assert len(nats) * trace.span_rows >= 1_000_000


def test_a_picture_has_a_panel_a_cause_and_a_mark_an_incident() -> None:
    trace = EvidenceTrace(["inputs", "answers"])
    for row in range(10, 2001, 10):
        trace.add(row, {"inputs": 1.5 if row == 1000 else 0.1, "answers": 0.0})
    incidents = IncidentList()
    incidents.take([WARNING, PAGE], 10.0)
    picture = draw_replay("a <b> & c\x1b[0m", trace, 2000, incidents.listed)
    tree = ElementTree.fromstring(picture)
    names = [element.tag.rpartition("}")[2] for element in tree.iter()]
    assert names.count("polyline") == 2
    titles = [element.text for element in tree.iter() if element.tag.endswith("title")]
    assert titles == ["page at row 1,000", "warning at row 500"]
