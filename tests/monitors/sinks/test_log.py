"""The sink that writes lines."""

import io
import json

from monitors.records import Alert, Driver
from monitors.sinks.log import JsonLinesSink


def test_each_transition_is_one_line_of_json() -> None:
    stream = io.StringIO()
    driver = Driver("https", "missing", 1.0, 0.1, "median 0.5", "missing 100 %")
    alert = Alert(
        "a", "m", "1", "stable", "drift", "firing", "page", 0.3, 0.2, 1.0, 2.0, "moved\nmuch", drivers=(driver,)
    )
    sink = JsonLinesSink(stream)
    sink.publish(alert)
    sink.publish(alert)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 2
    assert lines[0]["drivers"][0]["after"] == "missing 100 %"
