"""Log lines as JSON."""

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from gateway.logs import JsonFormatter, LineWriter, configure_logging


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger, and put it back afterwards."""
    logger = logging.getLogger()
    before = (logger.handlers, logger.level)
    yield logger
    logger.handlers, level = before
    logger.setLevel(level)


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("weir.test", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(more)
    return made


def test_a_record_is_one_line_with_time_level_process_and_logger() -> None:
    line = JsonFormatter("worker-0").format(record("%s took\n%d ms", "m", 5, created=0.25))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "process": "worker-0",
        "logger": "weir.test",
        "message": "m took\n5 ms",
    }


def test_a_failure_brings_its_traceback() -> None:
    try:
        raise KeyError("x")
    except KeyError:
        made = record("failed", exc_info=sys.exc_info())
    line = json.loads(JsonFormatter("w").format(made))
    assert "KeyError: 'x'" in line["traceback"]


def test_configuring_sends_everything_of_the_level_to_standard_error(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("warning", "watch")
    logging.getLogger("weir.x").info("not told")
    logging.getLogger("weir.x").warning("told")
    logging.getLogger("httpx").info("chatter")
    (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["message"], json.loads(line)["process"]) == ("told", "watch")
    configure_logging("debug", "watch")
    assert len(root.handlers) == 1


def test_a_line_has_the_fields_that_its_record_has() -> None:
    line = json.loads(JsonFormatter("w").format(record("x", request_id="r-1", status=0, version=None, colour="red")))
    assert (line["request_id"], line["status"]) == ("r-1", 0)
    assert not {"version", "colour"} & line.keys()


class Held(logging.Handler):
    """A handler that is as slow as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.entered, self.may_go_on = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        self.may_go_on.wait(30)
        self.written.append(record.getMessage())


def test_who_logs_never_waits_and_what_does_not_fit_is_counted(root: logging.Logger) -> None:
    held, dropped = Held(), list[int]()
    root.handlers = [held]
    logger = logging.getLogger("weir.test.bounded")
    logger.setLevel(logging.INFO)
    writer = LineWriter(logger, lambda: dropped.append(1), most=2)
    logger.info("first")
    assert held.entered.wait(30)
    for i in range(5):
        logger.info("line %d", i)
    assert len(dropped) == 3
    held.may_go_on.set()
    writer.close()
    assert held.written == ["first", "line 0", "line 1"]
