"""The worked example as it stands: every gate refuses its own bad candidate, and the good one takes all traffic.

The gateway has the example's policy in force, so that neither version serves without its report and two approvals.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from examples.loan.data import CATEGORIES, NUMBERS, read_rows
from examples.loan.pipeline import FLAWS, HERE, Candidate, candidate, deploy, register, weir
from examples.loan.stages import Pipeline, Stage
from gateway.commands.problem import ProblemReported
from gateway.release.policy import GATES
from tests.end_to_end.load import Load
from tests.end_to_end.running import RunningGateway

UNMET = "urn:weir:problem:governance-unmet"
PEOPLE = (("oscar", "operator"), ("oscar", "approver"), ("ann", "approver"), ("bob", "approver"))


class Example:
    """Its folders, with version 1 registered and version 2 checked against it."""

    def __init__(self, root: Path) -> None:
        self.work, self.models = root / "work", root / "models"
        self.first = candidate(Pipeline(self.work), self.models, "1", strength=0.1)
        assert self.first.failed == ()
        register(self.models, self.first)

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


class Bank(RunningGateway):
    """A gateway on the example's models with its policy in force, and a token for each of its people."""

    def __init__(self, models: Path) -> None:
        environ = {"WEIR_GOVERNANCE__POLICY": str(HERE / "policy.yaml"), "WEIR_SERVING__REFRESH_MS": "50"}
        super().__init__(models, models.parent / "weir.db", workers=1, environ=environ)
        self._tokens: dict[tuple[str, str], str] = {}

    def start(self, until: str = "/livez") -> None:
        """Start; a gateway without a route is alive and not ready."""
        super().start(until)

    def hire(self) -> None:
        """Make the tokens, and wait until the worker knows the last of them."""
        self.read("/admin/v1/tokens")
        with self.client() as client:
            for name, role in PEOPLE:
                made = client.post("/admin/v1/tokens", json={"name": name, "role": role}).raise_for_status().json()
                self._tokens[name, role] = made["token"]
            last = {"authorization": f"Bearer {made['token']}"}
            models = "/admin/v1/models"
            self.wait_until(lambda: client.get(models, headers=last).status_code == 200, "the tokens known")

    @contextmanager
    def acting(self, name: str, role: str) -> Iterator[None]:
        """Run commands as one of the people in one of their roles."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WEIR_TOKEN", self._tokens[name, role])
            patch.setenv("WEIR_URL", self.url)
            yield

    def deploy(self, one: Candidate) -> None:
        """Run the stage as the operator."""
        with self.acting("oscar", "operator"):
            deploy(one, self.url)

    def refusal_of(self, one: Candidate) -> str:
        """Run the stage as the operator, and return what is lacking."""
        with pytest.raises(ProblemReported) as refused:
            self.deploy(one)
        assert refused.value.kind == UNMET
        return str(refused.value).partition("Missing: ")[2]

    def weir(self, name: str, role: str, *arguments: str) -> None:
        """Run a command as one of the people."""
        with self.acting(name, role):
            assert weir(*arguments) == 0

    def approve(self, name: str, number: str) -> None:
        self.weir(name, "approver", "approval", "give", "loan", number, "--comment", "read the report")

    def start_rollout(self, number: str) -> Any:
        """Ask for a rollout by hand, as the operator; return the problem that it is refused with."""
        told = {"authorization": f"Bearer {self._tokens['oscar', 'operator']}"}
        body = {"model": "loan", "version": number, "reason": "in a hurry"}
        with self.client() as client:
            refused = client.post("/admin/v1/rollouts", json=body, headers=told)
        assert refused.status_code == 409
        return refused.json()

    def rollout(self) -> Any:
        return self.read("/admin/v1/rollouts/loan").json()

    def waits_for_people(self) -> bool:
        """Return whether nothing but a person's word keeps the rollout from going on."""
        told = self.rollout()["evidence"]
        return told is not None and told["hindrances"] == [
            "people make a version of its tier stable: weir rollout promote loan"
        ]


def test_a_version_is_rolled_out_with_its_report_and_two_approvals_and_not_without(example: Example) -> None:
    good, _ = example.made()
    assert good.passed
    bank = Bank(example.models)
    with bank:
        bank.hire()

        # The first version gets its route with the report and both approvals, and no traffic before.
        assert "1 may not take all traffic yet" in bank.log.read_text()
        assert bank.refusal_of(example.first) == "2 more approvals: it has 0 of 2 (weir approval give loan 1)"
        for name in ("ann", "bob"):
            bank.approve(name, "1")
        for _ in range(2):  # a retry after a crash changes nothing
            bank.deploy(example.first)
        bank.wait_for_workers("loan", "1")

        # The second is refused without a report, ...
        register(example.models, good)
        bank.weir("oscar", "operator", "load", "loan", "2", "--reason", "in a hurry")
        refused = bank.start_rollout("2")
        assert (refused["type"], [one["command"] for one in refused["missing"]]) == (
            UNMET,
            ["weir release check loan 2", "weir approval give loan 2"],
        )
        assert refused["missing"][0]["what"].endswith("passed at tier high under the policy: there is none")
        with pytest.raises(ProblemReported, match="it lacks a release report"):
            bank.approve("ann", "2")

        # ... with one and without approvals, which its submitter cannot give, and with only one of them.
        assert bank.refusal_of(good) == "2 more approvals: it has 0 of 2 (weir approval give loan 2)"
        with pytest.raises(ProblemReported, match="oscar submitted its release report, and nobody approves their own"):
            bank.approve("oscar", "2")
        bank.approve("ann", "2")
        assert bank.refusal_of(good) == "1 more approval: it has 1 of 2, by ann (weir approval give loan 2)"
        bank.approve("bob", "2")

        # With two it is rolled out, as far as evidence goes; people do the rest.
        loads = [load_of(bank, client, row) for client, row in enumerate(example.applications(12))]
        with ExitStack() as asking:
            for load in loads:
                asking.enter_context(load)
            for _ in range(2):  # a retry begins no second rollout
                bank.deploy(good)
            bank.wait_until(bank.waits_for_people, "held for people alone")
            bank.weir("oscar", "operator", "rollout", "promote", "loan", "--reason", "all gates passed")
            bank.wait_until(lambda: bank.rollout()["rollout"]["state"] == "completed", "completed")
        record = bank.read("/admin/v1/models/loan/versions/2/release").json()
        route = bank.read("/admin/v1/models/loan/route").json()
        audit = bank.read("/admin/v1/audit", limit=500).json()["records"]
    assert [load.failures for load in loads] == [[]] * len(loads)
    assert (route["stable"], route["previous_stable"]) == ("2", "1")
    report = json.loads((good.checked / "report.json").read_text())
    assert (record["outcome"], record["tier"], record["digest"]) == ("pass", "high", report["digest"])
    told = [one for each in audit for one in each["evidence"].get("governance", ())]
    assert {(one["version"], *one["approved_by"]) for one in told} == {("1", "ann", "bob"), ("2", "ann", "bob")}
    assert told[-1]["release_report_sha256"] == record["report_sha256"]


def load_of(gateway: RunningGateway, client: int, row: dict[str, float | str]) -> Load:
    """Return an applicant who keeps asking, each time as somebody else."""

    def key_of(_client: int, i: int) -> str:
        return f"{client}-{i}"

    return Load(gateway.port, "/predict/loan", {"instances": [row]}, n=1, key_of=key_of, pause_s=0.02)
