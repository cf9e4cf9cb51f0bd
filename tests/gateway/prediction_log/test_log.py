from dataclasses import replace
from pathlib import Path

from gateway.metrics.catalogue import METRICS
from gateway.prediction_log.log import PredictionLog
from gateway.prediction_log.reading import find_request
from gateway.settings import PredictionLogSettings
from tests.gateway.prediction_log.material import INFO, HandClock, answers, masked


def log_on(path: Path, queue_bytes: int = 1_000_000) -> PredictionLog:
    return PredictionLog(PredictionLogSettings(path=path), HandClock(), salt=b"salt", queue_bytes=queue_bytes)


def totals(log: PredictionLog) -> dict[tuple[str, ...], float]:
    return {(name, *labels.values()): value for name, labels, value in log.totals()}


def test_what_comes_is_written_by_the_end(tmp_path: Path) -> None:
    log = log_on(tmp_path)
    log.start()
    for record in (INFO, answers("a"), masked("a"), {"kind": "other"}):
        log.take(record)
    log.close()
    assert len(find_request(tmp_path, "a")) == 2
    found = totals(log)
    assert found[("weir_prediction_log_records_total", "answer")] == 1.0
    assert found[("weir_prediction_log_records_total", "failure")] == 1.0


def test_a_full_queue_drops_and_counts(tmp_path: Path) -> None:
    log = log_on(tmp_path, queue_bytes=1_200)  # room for two rows; the thread has not begun to take them
    log.take(INFO)
    for _ in range(3):
        log.take(answers("a"))
    log.start()
    log.close()
    assert len(find_request(tmp_path, "a")) == 2
    assert totals(log)[("weir_prediction_log_dropped_total", "queue_full")] == 1.0


def test_room_in_the_queue_comes_back(tmp_path: Path) -> None:
    log = log_on(tmp_path, queue_bytes=1_200)
    log.take(INFO)
    log.start()
    written = 0.0
    while written < 10.0:
        log.take(answers("a"))
        written = totals(log)[("weir_prediction_log_records_total", "answer")]
    log.close()


def test_a_block_that_cannot_be_written_does_not_end_the_log(tmp_path: Path) -> None:
    log = log_on(tmp_path)
    log.take(replace(INFO, features=INFO.features[:2]))
    log.start()
    log.take(answers("a"))
    log.take(masked("b"))
    log.close()
    assert len(find_request(tmp_path, "b")) == 1
    assert totals(log)[("weir_prediction_log_dropped_total", "invalid")] == 1.0


def test_everything_that_is_counted_is_in_the_catalogue(tmp_path: Path) -> None:
    log = log_on(tmp_path)
    log.start()
    log.take(answers("a"))
    log.close()
    for name, labels, _ in log.totals():
        assert tuple(labels) == METRICS[name].labels
        assert all(value in METRICS[name].values[label] for label, value in labels.items())
