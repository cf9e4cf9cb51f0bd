"""What one client can do to a model's evidence: nothing below the tolerance, and no more than its share of the rows."""

import numpy as np
import pytest

from monitors.drift_monitor import DriftMonitor
from monitors.evidence.budget import Budget
from monitors.evidence.model import EvidenceModel
from monitors.evidence.rows import Rows
from monitors.records import FeatureSchema

SCHEMA = [FeatureSchema(name, "number", "float64") for name in "ab"]
BUDGET = Budget(rows_between_false_pages=100_000)


@pytest.fixture(scope="module")
def fitted() -> EvidenceModel:
    return EvidenceModel.fit(Rows(np.random.default_rng(0).normal(size=(20_000, 2))), SCHEMA)


def paged_at(fitted: EvidenceModel, share: float, *, rows: int) -> int | None:
    """Return the row of the first page when one client sends a share of the rows, all alike and inside the range."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(rows, 2))
    values[rng.random(rows) < share] = [1.7, -1.7]
    found = DriftMonitor(fitted, budget=BUDGET).update(Rows(values))
    return next((finding.row for finding in found if finding.level == "page"), None)


def test_a_client_with_less_than_the_tolerance_pages_nobody_however_long_it_goes_on(fitted: EvidenceModel) -> None:
    assert paged_at(fitted, 0.004, rows=60_000) is None


def test_a_client_with_a_fifth_of_the_rows_is_a_change_of_traffic_and_pages(fitted: EvidenceModel) -> None:
    assert (paged_at(fitted, 0.2, rows=2_000) or 2_000) < 300


def test_ordinary_rows_of_one_client_thin_out_the_change_of_the_others_and_do_not_hide_it(
    fitted: EvidenceModel,
) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20_000, 2))
    values[rng.random(20_000) < 0.1, 0] += 1.5  # nine tenths of the rows are the client's
    found = DriftMonitor(fitted, budget=BUDGET).update(Rows(values))
    assert any(finding.level == "page" for finding in found)
