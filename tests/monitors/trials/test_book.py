"""What fails of one rollout's evidence is that rollout's problem: the others go on."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from monitors.records import Observation, StreamKey, TrialFindings, TrueOutcome
from monitors.trials.book import TrialBook
from tests.monitors.trials.material import answers, spec

OTHER = spec(model="other", rollout="o")


def of_other(observation: Observation) -> Observation:
    return replace(observation, key=StreamKey("other", observation.key.version, "", observation.key.variant))


def torn() -> Observation:
    """Return answers without their keys: no channel lets them through, and whoever counts them fails."""
    return replace(answers("2", ["a", "b"]), key_hashes_n=np.zeros(0, np.uint64))


def fed(book: TrialBook, n: int = 3) -> TrialFindings:
    """Feed the other rollout; return what is found of it."""
    for i in range(n):
        keys = range(100 * i, 100 * i + 50)
        book.receive(of_other(answers("1", [f"{i}-{key}" for key in keys], keys)))
        found = book.judge()["other"]
    return found


def test_a_record_that_cannot_be_counted_ends_one_trial_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    book, alone = TrialBook(), TrialBook()
    book.follow([spec(), OTHER])
    alone.follow([OTHER])
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            book.receive(torn())
    found = book.judge()["fraud"]
    assert found.verdicts == ()
    assert found.fault.startswith(("IndexError", "ValueError"))
    (told,) = caplog.records
    assert told.getMessage() == "the evidence of rollout r of fraud fails and counts no more"
    assert told.exc_info is not None
    assert book.take_outcomes("fraud", [TrueOutcome("a", "yes")]) == {"joined": 0, "unknown": 1, "unusable": 0}
    book.take_shadow_totals({("fraud", "2"): (1, 2)})
    assert fed(book) == fed(alone)
    assert fed(book).fault == ""


def test_a_trial_that_cannot_begin_or_be_judged_keeps_its_fault_until_it_begins_anew() -> None:
    book = TrialBook()
    broken = spec(weight_bp=-20_000)
    book.follow([broken, OTHER])
    for observation in (answers("1", list("abc"), [1, 2, 3]), answers("2", list("def"), [4, 5, 6])):
        book.receive(observation)
    for _ in range(30):
        found = book.judge()["fraud"]
    assert found.fault != ""
    assert fed(book).fault == ""
    book.follow([replace(broken, weight_bp=500), OTHER])
    assert book.judge()["fraud"].fault == found.fault, "the same trial, whose counts are half taken"
    book.follow([replace(broken, weight_bp=500, step=1), OTHER])
    again = book.judge()["fraud"]
    assert (again.fault, [verdict.gate for verdict in again.verdicts][:2]) == ("", ["split", "errors"])
