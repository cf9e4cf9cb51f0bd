"""``weir release check``: from files to a report, and its exit codes."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from gateway.commands.problem import ProblemReported
from gateway.commands.release.page import render_release
from gateway.errors import DocumentInvalid
from gateway.release.document import GateResult, decode_report
from tests import models
from tests.release.ground import FEATURES, data, good, poor
from tests.release.reports import report
from tests.release.test_gates import COMPLETE

NAMES = [f"x{j}" for j in range(FEATURES)]
LENIENT = """
schema_version: 1
release:
  budget: {p95_ms: null, ratio: null}
  replicates: 100
  attribution: {repeats: 1}
  fairness: {demographic_parity: 0.3, equalised_odds: 0.3, disparate_impact: 0.5}
"""


class Bench:
    """A folder of three versions, a holdout, and the command."""

    def __init__(self, root: Path) -> None:
        self.root, self.models = root, root / "models"
        manifest = {"model.yaml": f"schema_version: 1\n{COMPLETE}", "card.md": "# Cancer"}
        for version, graph in (("1", good()), ("2", good()), ("3", poor())):
            models.write_bundle(self.models / "cancer" / version, graph, **manifest)
        models.write_bundle(self.models / "cancer" / "4", models.custom_domain_model(), **manifest)
        models.write_bundle(self.models / "picture" / "1", models.image_model())
        models.write_bundle(self.models / "sugar" / "1", models.regressor())
        x_nd, y_n = data()
        rows = [
            (*row, y, "north" if i % 2 else "south", i * 97 % 569)
            for i, (row, y) in enumerate(zip(x_nd, y_n, strict=True))
        ]
        self.holdout = self.table("holdout.csv", [*NAMES, "label", "clinic", "row"], rows)
        (root / "policy.yaml").write_text(LENIENT)

    def table(self, name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
        with (self.root / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return self.root / name

    def __call__(self, *arguments: object, holdout: Path | None = None, policy: str = "policy.yaml") -> tuple[int, str]:
        """Return the exit code, and all that was said."""
        given = ["--holdout", holdout or self.holdout, "--models", self.models, "--policy", self.root / policy]
        told = [str(argument) for argument in ("release", "check", *arguments, *given, "--out", self.root / "out")]
        result = CliRunner().invoke(build_app(), told, env={"COLUMNS": "200", "TERM": "dumb"})
        problem, said = result.exception, " ".join(result.output.split())
        if isinstance(problem, ProblemReported):
            return problem.status, f"{problem} {' '.join(map(str, problem.faults))}"
        assert isinstance(problem, SystemExit | None), problem
        return result.exit_code, said

    def report(self) -> Any:
        return json.loads((self.root / "out" / "report.json").read_text())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


def test_a_version_that_is_as_good_passes_with_a_report_bound_to_everything(bench: Bench) -> None:
    code, said = bench("cancer", "2", "--against", "1", "--group", "clinic", "--group", "row")
    assert code == 0, said
    told = bench.report()
    outcomes = {gate["name"]: gate["outcome"] for gate in told["gates"]}
    assert set(outcomes.values()) == {"pass", "skipped"}
    assert (outcomes["benchmark"], outcomes["fairness"], outcomes["golden"]) == ("pass", "pass", "skipped")
    assert told["holdout"]["digest"] == "sha256:" + hashlib.sha256(bench.holdout.read_bytes()).hexdigest()
    assert (told["holdout"]["rows"], told["against"]["version"], told["tier"]) == (569, "1", "minimal")
    slices = next(gate for gate in told["gates"] if gate["name"] == "slices")["numbers"]["slices"]
    assert len([one for one in slices if one["column"] == "row"]) == 4  # quartiles
    page = (bench.root / "out" / "report.html").read_text()
    assert hashlib.sha256((bench.root / "out" / "report.json").read_bytes()).hexdigest() in page
    assert page.count("<svg") >= 5
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page


def test_the_same_files_give_the_same_report_but_for_times(bench: Bench) -> None:
    def numbers() -> list[Any]:
        assert bench("cancer", "2", "--against", "1")[0] == 0
        return [gate for gate in bench.report()["gates"] if gate["name"] != "budget"]

    assert numbers() == numbers()


def test_a_worse_version_fails_and_one_that_does_not_load_too(bench: Bench) -> None:
    code, said = bench("cancer", "3", "--against", "1")
    assert (code, "accuracy is worse" in said) == (1, True), said
    code, said = bench("cancer", "4", "--against", "1")
    # The graph is refused before there is a digest that a report could be bound to.
    assert (code, "uses the operator Anything" in said) == (2, True), said


def test_a_version_whose_golden_rows_are_broken_fails_only_that_gate(bench: Bench) -> None:
    golden = json.dumps({"instances": data()[0][:1].tolist(), "predictions": [9]})
    manifest = f"schema_version: 1\n{COMPLETE}\nevaluation: {{golden_set: {{path: golden.json}}}}"
    files = {"model.yaml": manifest, "card.md": "# Cancer", "golden.json": golden}
    models.write_bundle(bench.models / "cancer" / "5", good(), **files)
    assert bench("cancer", "5", "--first-release")[0] == 1
    failed = [gate["name"] for gate in bench.report()["gates"] if gate["outcome"] == "fail"]
    assert failed == ["golden"]


def test_a_number_is_checked_like_a_class(bench: Bench) -> None:
    from sklearn.datasets import load_diabetes

    x_nd, y_n = load_diabetes(return_X_y=True)
    header = [*(f"x{j}" for j in range(10)), "label", "half"]
    table = bench.table(
        "sugar.csv", header, [(*row, y, i % 2) for i, (row, y) in enumerate(zip(x_nd, y_n, strict=True))]
    )
    code, _ = bench("sugar", "1", "--against", "1", "--group", "half", holdout=table)
    outcomes = {gate["name"]: gate["outcome"] for gate in bench.report()["gates"]}
    assert (code, outcomes["benchmark"], outcomes["slices"]) == (1, "pass", "pass")
    assert (outcomes["fairness"], outcomes["calibration"], outcomes["attribution"]) == ("skipped", "skipped", "pass")
    assert [name for name, outcome in outcomes.items() if outcome == "fail"] == ["lineage", "card"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["cancer", "9"], "has no version '9'", id="no such version"),
        pytest.param(["nobody", "1"], "no model named 'nobody'", id="no such model"),
        pytest.param(["cancer", "2", "--against", "9"], "has no version '9'", id="no such serving version"),
        pytest.param(["cancer", "2", "--label", "truth"], "no column 'truth'", id="no such label"),
        pytest.param(["cancer", "2", "--label", "x0"], "is a feature of the model", id="a feature as label"),
        pytest.param(["cancer", "2", "--label", "clinic"], "expected one of ['0', '1'], found", id="no class"),
        pytest.param(["cancer", "2", "--group", "age"], "no column 'age'", id="no such group"),
        pytest.param(["picture", "1"], "takes tensors", id="tensors"),
        pytest.param(["cancer", "2", "--gateway", "http://127.0.0.1:1"], "cannot reach", id="no gateway"),
    ],
)
def test_what_cannot_be_checked_exits_with_2_and_says_why(bench: Bench, arguments: list[str], says: str) -> None:
    code, said = bench(*arguments)
    assert (code, says in said) == (2, True), said


def test_tables_and_policies_that_cannot_be_read_exit_with_2(bench: Bench) -> None:
    lacks = bench.table("lacks.csv", [*NAMES[1:], "label"], [[1] * FEATURES])
    broken = bench.table("broken.csv", [*NAMES, "label"], [["x", *[1] * (FEATURES - 1), 1]])
    empty = bench.table("empty.csv", [*NAMES, "label"], [[*[1] * FEATURES, ""]])
    (bench.root / "odd.yaml").write_text("schema_version: 1\nrelease: {calibration: {ece: 9}}\n")
    for holdout, policy, says in (
        (lacks, "policy.yaml", "has no column for ['x0']"),
        (broken, "policy.yaml", "line 2, column 'x0'"),
        (empty, "policy.yaml", "no row with a label"),
        (bench.root / "nothing.csv", "policy.yaml", "No such file"),
        (bench.root, "policy.yaml", "Is a directory"),
        (bench.holdout, "odd.yaml", "/calibration/ece"),
        (bench.holdout, "none.yaml", "No such file"),
    ):
        code, said = bench("cancer", "2", holdout=holdout, policy=policy)
        assert (code, says in said) == (2, True), said


def test_two_ways_to_name_the_serving_version_are_wrong_usage(bench: Bench) -> None:
    assert bench("cancer", "2", "--against", "1", "--first-release")[0] == 2


def test_text_of_others_stays_text_on_the_page() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    gates = (
        GateResult(name="contract", outcome="fail", detail=evil),
        GateResult(name="metrics", outcome="pass", detail=evil, numbers={evil: 1.0}),
        GateResult(
            name="benchmark",
            outcome="fail",
            detail=evil,
            numbers={
                "confidence": 0.95,
                "metrics": {evil: dict.fromkeys(("candidate", "serving", "better_by", "low", "high", "margin"), 0.0)},
            },
        ),
        GateResult(
            name="slices",
            outcome="fail",
            detail=evil,
            numbers={
                "measure": evil,
                "overall": 0.5,
                "slices": [
                    {"column": evil, "slice": evil, "rows": 5, "value": 0.1, "behind": 0.4}
                    | {"better_by": 0.0, "low": 0.0, "high": 0.0}
                ],
            },
        ),
        GateResult(
            name="fairness",
            outcome="fail",
            detail=evil,
            numbers={
                "favourable": evil,
                "columns": {
                    evil: {
                        "demographic_parity_difference": None,
                        "equalised_odds_difference": 0.0,
                        "disparate_impact_ratio": evil,
                        "groups": {
                            evil: dict.fromkeys(
                                ("rows", "selection_rate", "true_positive_rate", "false_positive_rate"), 0.0
                            )
                        },
                    }
                },
            },
        ),
        GateResult(
            name="robustness",
            outcome="fail",
            detail=evil,
            numbers={"metric": evil, "whole": 0.5, "missing": None, "share": 0.1, "without": {evil: None}},
        ),
        GateResult(
            name="attribution",
            outcome="fail",
            detail=evil,
            numbers={"score": evil, "rows": 1, "repeats": 1, "features": [{"feature": evil, "importance": -0.1}]},
        ),
        GateResult(name="sanity", outcome="fail", detail=evil, numbers={evil: evil}),
    )
    page = render_release(
        report(model=evil, version=evil, outcome="fail", gates=gates, machine={evil: evil}), sha256="0" * 64
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_a_report_that_was_edited_is_none(tmp_path: Path) -> None:
    with pytest.raises(DocumentInvalid):
        decode_report(b'{"schema_version": 1}')
