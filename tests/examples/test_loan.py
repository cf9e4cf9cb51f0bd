"""The worked example as it stands: every gate refuses its own bad candidate, and the good one takes all traffic."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from examples.loan.data import CATEGORIES, NUMBERS, read_rows
from examples.loan.pipeline import FLAWS, Candidate, candidate, deploy, register
from examples.loan.stages import Pipeline, Stage
from gateway.release.policy import GATES
from tests.end_to_end.load import Load
from tests.end_to_end.running import TOKEN, RunningGateway


class Example:
    """Its folders, with version 1 registered and version 2 checked against it."""

    def __init__(self, root: Path) -> None:
        self.work, self.models = root / "work", root / "models"
        first = candidate(Pipeline(self.work), self.models, "1", strength=0.1)
        assert first.failed == ()
        register(self.models, first)

    def applications(self, most: int) -> list[dict[str, float | str]]:
        """Return applications as a client sends them."""
        rows = islice(read_rows(self.work / "features" / "holdout.csv"), most)
        return [{name: float(row[name]) for name in NUMBERS} | {name: row[name] for name in CATEGORIES} for row in rows]

    def made(self, *, flaw: str = "", number: str = "2") -> tuple[Candidate, Pipeline]:
        pipeline = Pipeline(self.work)
        return candidate(pipeline, self.models, number, flaw=flaw, against="1"), pipeline


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return Example(tmp_path_factory.mktemp("loan"))


def test_there_is_a_flaw_for_every_gate() -> None:
    assert list(FLAWS) == list(GATES)


@pytest.mark.parametrize("gate", FLAWS)
def test_a_flaw_is_found_by_its_gate_and_the_candidate_goes_no_further(example: Example, gate: str) -> None:
    bad, _ = example.made(flaw=FLAWS[gate])
    assert gate in bad.failed
    assert (bad.checked / "report.html").read_text().startswith("<!doctype html>")
    with pytest.raises(ValueError, match="is not registered"):
        register(example.models, bad)


def test_stages_whose_inputs_are_the_same_are_not_run_again(example: Example) -> None:
    first, _ = example.made()
    again, pipeline = example.made()
    assert (pipeline.ran, len(pipeline.kept), again) == ([], 6, first)
    (example.work / "training-1" / "model.onnx").write_bytes(b"half a model")
    _, pipeline = example.made()
    assert pipeline.ran == ["training-1"]  # and its output is what it was, so that nothing after it runs
    other = Pipeline(example.work)
    candidate(other, example.models, "2", against="1", commit="1111111")
    assert other.ran == ["packaging-2", "check-2"]


def test_a_crash_in_the_middle_leaves_no_half_output_and_the_next_run_goes_on(tmp_path: Path) -> None:
    made: list[Path] = []

    def twice(out: Path, *, fails: bool) -> None:
        (out / "first").write_text("whole")
        if fails and not made:
            made.append(out)
            raise KeyboardInterrupt
        (out / "second").write_text("whole")

    def run(fails: bool) -> Stage:
        return Pipeline(tmp_path).stage("part", twice, fails=fails)

    whole = run(fails=False)
    with pytest.raises(KeyboardInterrupt):
        run(fails=True)
    assert Pipeline(tmp_path).stage("part", twice, fails=False).digest == whole.digest  # the last whole output stands
    shutil.rmtree(whole.folder)
    made.clear()
    with pytest.raises(KeyboardInterrupt):
        run(fails=True)
    assert not whole.folder.exists()
    assert run(fails=True).digest == whole.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part"]


def test_a_number_that_is_taken_by_other_files_is_not_overwritten(example: Example, tmp_path: Path) -> None:
    good, _ = example.made()
    models = tmp_path / "models"
    assert register(models, good) == register(models, good)
    (models / "loan" / "2" / "card.md").write_text("another card")
    with pytest.raises(ValueError, match="publish a new version"):
        register(models, good)


def test_a_version_that_passes_is_registered_and_rolled_out(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_ADMIN_TOKEN", TOKEN)
    good, _ = example.made()
    assert good.passed
    with RunningGateway(example.models, example.models.parent / "weir.db", "--stable", "loan=1") as gateway:
        register(example.models, good)
        loads = [load_of(gateway, client, row) for client, row in enumerate(example.applications(12))]
        with ExitStack() as asking:
            for load in loads:
                asking.enter_context(load)
            deploy(good, gateway.url)
            deploy(good, gateway.url)  # a retry after a crash begins no second rollout
            gateway.wait_until(lambda: state(gateway) == "completed", "completed")
        record = gateway.read("/admin/v1/models/loan/versions/2/release").json()
        route = gateway.read("/admin/v1/models/loan/route").json()
    assert [load.failures for load in loads] == [[]] * len(loads)
    assert (route["stable"], route["previous_stable"]) == ("2", "1")
    report = json.loads((good.checked / "report.json").read_text())
    assert (record["outcome"], record["digest"]) == ("pass", report["digest"])


def load_of(gateway: RunningGateway, client: int, row: dict[str, float | str]) -> Load:
    """Return an applicant who keeps asking, each time as somebody else."""

    def key_of(_client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, "/predict/loan", {"instances": [row]}, n=1, key_of=key_of, pause_s=0.02)


def state(gateway: RunningGateway) -> str:
    return str(gateway.read("/admin/v1/rollouts/loan").json()["rollout"]["state"])
