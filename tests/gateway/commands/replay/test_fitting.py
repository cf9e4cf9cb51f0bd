from pathlib import Path

import pytest

from gateway.commands.problem import ProblemReported
from gateway.commands.replay.fitting import offer_baseline
from monitors.evidence.document import read_model
from tests.gateway.commands.replay.material import flowers, write_table, write_version

WEEKLY = 5_000.0
"""So many false pages a week that little has to be replayed."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("models"))


def test_the_newest_rows_are_fitted_and_replayed(folder: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "week.csv", flowers(3_000, 5, 3.0) + flowers(7_000, 6))
    offered = offer_baseline(table, folder, "stable", 7_000, WEEKLY)
    assert (offered.model, offered.version, offered.rows, offered.begin) == ("iris", "1", 7_000, "")
    assert offered.digest.startswith("sha256:")
    assert (offered.factor >= 1.0, offered.pages_per_week) == (True, WEEKLY)
    assert 0.0 <= offered.predicted <= offered.upper <= 1.0
    model = read_model(offered.evidence.encode())
    assert model.counts_cb[0].sum() == 7_000


def test_rows_that_promise_nothing_are_refused_with_the_reason(folder: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "day.csv", flowers(2_000, 5))
    with pytest.raises(ProblemReported, match=r"day\.csv promises nothing as a baseline: .*6,667 are needed"):
        offer_baseline(table, folder, "stable", 50_000, WEEKLY)
