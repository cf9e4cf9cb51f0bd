"""Findings, written and read."""

from dataclasses import asdict, replace
from math import isnan
from pathlib import Path

from benchmarks.serving.trials.records import Overload, keep, kept, of_type
from tests.benchmarks.serving.trials.findings import FINDINGS, OVERLOAD


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "findings"
    assert kept(file) == []
    for record in FINDINGS:
        keep(file, record)
    assert [asdict(record) for record in kept(file)] == [asdict(record) for record in FINDINGS]
    assert of_type(kept(file), Overload) == [OVERLOAD]


def test_what_is_not_a_number_stays_so(tmp_path: Path) -> None:
    keep(tmp_path / "findings", replace(OVERLOAD, refusal_us=float("nan")))
    (found,) = of_type(kept(tmp_path / "findings"), Overload)
    assert isnan(found.refusal_us)
