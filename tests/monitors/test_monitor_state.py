"""A drift monitor that goes on in another process: the same findings bit for bit, and no state that is not its own."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from monitors.drift_monitor import DriftMonitor, Finding
from monitors.evidence.budget import Budget
from monitors.evidence.document import read_model, write_model
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.evidence.ticks import Ticks
from monitors.monitor_state import read_state, write_state
from tests.monitors.evidence.material import model, rows

BUDGET = Budget(rows_between_false_pages=10_000_000)
SECONDS = Ticks(10, 1.0)
N = 1500
CUTS = (3, 600, 707, 1150)


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return model()


def traffic() -> tuple[Rows, np.ndarray]:
    """Return rows that change at 600 and 900, one broken answer, a feed that stands still; and times with gaps."""
    rng = np.random.default_rng(7)
    parts = [rows(rng, 600), rows(rng, 300, shift=0.6), rows(rng, 600, missing=0.3)]
    values, scores = (np.concatenate([getattr(p, name) for p in parts]) for name in ("values_nd", "scores_nk"))
    scores[750] = np.nan
    values[1000:1490] = values[1000]
    times = np.cumsum(np.random.default_rng(1).exponential(0.05, size=N)) + (np.arange(N) > 700) * 500.0
    times[1200] -= 30.0
    return Rows(values, scores, None), times


def bursty() -> EvidenceModel:
    """Return a model that counts a client's repeated rows once."""
    rng = np.random.default_rng(3)
    runs = rng.geometric(1 / 8, 2500)
    few = rows(rng, len(runs))
    assert few.scores_nk is not None
    return EvidenceModel.fit(
        Rows(np.repeat(few.values_nd, runs, axis=0), np.repeat(few.scores_nk, runs, axis=0), None),
        model().channels.features,
        model().channels.answers.output,
    )


@pytest.mark.parametrize(
    ("repeats_count_once", "ticks"),
    [pytest.param(False, Ticks(), id="rows"), pytest.param(True, SECONDS, id="seconds-where-repeats-count-once")],
)
def test_a_run_that_is_cut_anywhere_says_the_same_bit_for_bit(
    fitted: EvidenceModel, repeats_count_once: bool, ticks: Ticks
) -> None:
    fitted = bursty() if repeats_count_once else fitted
    block, times = traffic()
    again = read_model(write_model(fitted))

    def fed(monitor: DriftMonitor, begin: int, end: int) -> list[Finding]:
        found = []
        for at in range(begin, end, 250):
            stop = min(at + 250, end)
            found += monitor.update(block.part(at, stop), times_s=times[at:stop])
        return found

    whole = DriftMonitor(fitted, budget=BUDGET, ticks=ticks)
    expected, states = [], list[bytes]()
    edges = (0, *CUTS, N)
    for begin, end in pairwise(edges):
        expected += fed(whole, begin, end)
        states.append(whole.state())
    told, monitor = [], DriftMonitor(fitted, budget=BUDGET, ticks=ticks)
    for (begin, end), state in zip(pairwise(edges), states, strict=True):
        told += fed(monitor, begin, end)
        saved, monitor = monitor.state(), DriftMonitor(again, budget=BUDGET, ticks=ticks)
        assert saved == state
        monitor.restore(saved)
    assert told == expected
    assert {finding.rule for finding in expected} >= {None, "broken answer"}
    assert {finding.cause for finding in expected if finding.level == "page"} >= {"inputs", "answers"}
    assert (fitted.channels.repeats is not None) == any(finding.rule == "nothing new" for finding in expected)
    assert monitor.finish() == whole.finish()
    assert (monitor.rows_seen, monitor.summaries) == (whole.rows_seen, whole.summaries)


def test_a_state_is_json_without_a_row(fitted: EvidenceModel) -> None:
    monitor = DriftMonitor(fitted, budget=BUDGET)
    monitor.update(Rows(np.full((100, 3), 123.456789), np.full((100, 2), 0.5), None))
    text = monitor.state()
    assert json.loads(text)["schema_version"] == 1
    assert b"123.45" not in text


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        pytest.param(
            {"budget": Budget(rows_between_false_pages=50_000)},
            "rows_between_false_pages 10000000.0 and not 50000.0",
            id="budget",
        ),
        pytest.param({"ticks": Ticks(20)}, "tick_rows 10.0 and not 20.0", id="ticks"),
        pytest.param({"calibration": "baseline"}, "calibration 'profile' and not 'baseline'", id="calibration"),
    ],
)
def test_state_of_a_monitor_that_was_told_something_else_is_refused(
    other: dict[str, Any], complaint: str, fitted: EvidenceModel
) -> None:
    state = DriftMonitor(fitted, budget=BUDGET).state()
    with pytest.raises(ValueError, match=complaint):
        DriftMonitor(fitted, **{"budget": BUDGET, **other}).restore(state)


def test_state_of_another_model_is_refused(fitted: EvidenceModel) -> None:
    other = replace(fitted, phi_c=fitted.phi_c * 2.0)
    assert other.digest == fitted.digest, "only dependence differs"
    with pytest.raises(ValueError, match=r"state of the model sha256:.*read that model"):
        DriftMonitor(fitted, budget=BUDGET).restore(DriftMonitor(other, budget=BUDGET).state())


def test_state_that_was_changed_cut_short_or_is_newer_is_refused_and_changes_nothing(fitted: EvidenceModel) -> None:
    block, _ = traffic()
    monitor = DriftMonitor(fitted, budget=BUDGET)
    monitor.update(block.part(0, 633))
    text = monitor.state()
    broken = [text[:cut] for cut in (0, 1, len(text) // 2, len(text) - 3)]
    counts = [match.start() for match in re.finditer(rb"(?<= )[0-8](?=[0-9]*,?\n)", text)]
    for at in np.random.default_rng(0).choice(counts, 10):
        broken.append(text[:at] + str(int(text[at : at + 1]) + 1).encode() + text[at + 1 :])
    broken += [text.replace(b'"repeats"', b'"repeated"'), b"[" * 100_000, b"\xff", b"null", text + text]
    for changed in broken:
        with pytest.raises(ValueError, match=r"begin without it"):
            monitor.restore(changed)
    with pytest.raises(ValueError, match="state of version 2, and this release reads version 1"):
        monitor.restore(text.replace(b'"schema_version": 1', b'"schema_version": 2'))
    assert monitor.state() == text


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows_seen": -1}, id="negative"),
        pytest.param({"cut_rows": 2**63}, id="huge"),
        pytest.param({"recent_sizes": (1,)}, id="buckets"),
        pytest.param({"recent_sizes": (0,), "recent_counts": ((0,),)}, id="shape"),
        pytest.param({"repeats": -5}, id="repeats"),
    ],
)
def test_state_that_somebody_signed_anew_is_refused_where_no_monitor_has_it(
    change: dict[str, Any], fitted: EvidenceModel
) -> None:
    monitor = DriftMonitor(fitted, budget=BUDGET)
    text = monitor.state()
    with pytest.raises(ValueError, match=r"."):
        monitor.restore(write_state(replace(read_state(text), **change)))
    assert monitor.state() == text
