"""Each gate on real models: what passes, what fails, what does not apply."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fair
from sklearn.inspection import permutation_importance as by_scikit_learn

from gateway.contract import Contract, Feature, OutputBinding
from gateway.release.check import judge_all, refused_load
from gateway.release.document import GateResult
from gateway.release.examination import CheckImpossible
from gateway.release.gates.attribution import judge_attribution, permutation_importance
from gateway.release.gates.benchmark import judge_benchmark, judge_metrics
from gateway.release.gates.budget import judge_budget
from gateway.release.gates.calibration import judge_calibration
from gateway.release.gates.contract import incompatibilities, judge_contract
from gateway.release.gates.fairness import judge_fairness
from gateway.release.gates.golden import judge_golden
from gateway.release.gates.papers import judge_card, judge_lineage
from gateway.release.gates.robustness import judge_robustness
from gateway.release.gates.sanity import judge_sanity
from gateway.release.gates.slices import judge_slices
from gateway.release.policy import (
    GATES,
    AttributionRules,
    BudgetRules,
    CalibrationRules,
    FairnessRules,
    GateRules,
    MetricRules,
    RobustnessRules,
    SliceRules,
)
from gateway.release.scores import SCORES
from tests.release.ground import FEATURES, Sides, data, fitted, forgetful, good, linear, overconfident, poor

COMPLETE = """
identity:
  description: tells benign from malignant
  intended_use: tests
  out_of_scope_use: patients
  license: Apache-2.0
  owner: {team: tests}
lineage:
  code: {repo: here, commit: 0a1b2c}
  data: [{uri: bundled, digest: "sha256:00"}]
  features: {definition_version: "1"}
  hyperparameters: {C: 10}
  random_seeds: {split: 0}
  dependency_lock_digest: "sha256:11"
"""
MAY_MISS = "interface:\n  features:\n" + "".join(
    f"    - {{name: f{j}, missing: impute, fill: {fill}}}\n"
    for j, fill in enumerate([14.0, 19.0, 92.0, 650.0, 0.1, 0.1])
)
OUTPUTS = "[{name: label, semantic: label}, {name: probabilities, semantic: probabilities}]"
TWO = f"interface: {{classes: [0, 1], outputs: {OUTPUTS}}}"
BREAKS = f"interface:\n  classes: [0, 1]\n  outputs: {OUTPUTS}\n  features:\n" + "".join(
    f"    - {{name: f{j}, missing: impute, fill: 1.0e+32}}\n" for j in range(FEATURES)
)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    return Sides(tmp_path_factory.mktemp("models"))


def said(result: GateResult, outcome: str, *words: str) -> GateResult:
    assert result.outcome == outcome, result.detail
    assert [word for word in words if word not in result.detail] == [], result.detail
    return result


BEFORE = Feature("age", "float32", minimum=0, maximum=120, missing="impute", fill=40.0)
CONTRACT = Contract(
    "matrix",
    (BEFORE, Feature("plan", "string", categories=("basic", "gold"), unseen="flag")),
    OutputBinding(label="l", probabilities="p", classes=("no", "yes")),
    unknown_features="reject",
)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        pytest.param({"features": CONTRACT.features[:1]}, "'plan' is gone", id="a feature less"),
        pytest.param({"features": (*CONTRACT.features, Feature("new", "float32"))}, "'new' is new", id="one more"),
        pytest.param({"features": CONTRACT.features[::-1]}, "another order", id="another order"),
        pytest.param(
            {"features": (replace(BEFORE, dtype="string"), CONTRACT.features[1])}, "float32 and is string", id="dtype"
        ),
        pytest.param(
            {"features": (replace(BEFORE, dtype="int64"), CONTRACT.features[1])}, "fractions are refused", id="whole"
        ),
        pytest.param(
            {"features": (replace(BEFORE, missing="reject"), CONTRACT.features[1])},
            "no longer be missing",
            id="missing",
        ),
        pytest.param(
            {"features": (replace(BEFORE, maximum=90, out_of_range="reject"), CONTRACT.features[1])},
            "tighter range",
            id="range",
        ),
        pytest.param(
            {"features": (BEFORE, replace(CONTRACT.features[1], categories=("gold",), unseen="reject"))},
            "refuses categories that were taken: basic",
            id="categories",
        ),
        pytest.param({"outputs": OutputBinding(value="v")}, "a classification and are a regression", id="kind"),
        pytest.param({"outputs": replace(CONTRACT.outputs, probabilities=None)}, "have none", id="probabilities"),
        pytest.param(
            {"outputs": replace(CONTRACT.outputs, classes=("yes", "no"))}, "classes were no, yes", id="classes"
        ),
        pytest.param({"layout": "tensors", "features": ()}, "inputs were matrix and are tensors", id="layout"),
    ],
)
def test_what_clients_would_be_refused_for_is_an_incompatibility(after: dict[str, Any], says: str) -> None:
    [fault] = incompatibilities(CONTRACT, replace(CONTRACT, **after))
    assert says in fault


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({}, id="the same"),
        pytest.param({"features": CONTRACT.features[:1], "unknown_features": "ignore"}, id="a feature less, ignored"),
        pytest.param({"features": (*CONTRACT.features, replace(BEFORE, name="new"))}, id="one that may be missing"),
        pytest.param({"features": (replace(BEFORE, maximum=90), CONTRACT.features[1])}, id="a range that flags"),
        pytest.param({"features": (replace(BEFORE, dtype="float64"), CONTRACT.features[1])}, id="a wider dtype"),
    ],
)
def test_what_clients_do_not_notice_is_compatible(after: dict[str, Any]) -> None:
    assert list(incompatibilities(CONTRACT, replace(CONTRACT, **after))) == []


def test_the_contract_is_held_to_the_serving_version(sides: Sides) -> None:
    said(judge_contract(sides.examined(good())), "skipped", "no version serves")
    said(judge_contract(sides.examined(good(), poor())), "pass", "version 1")
    renamed = sides.examined(good(), poor(), manifest="interface: {classes: [bad, fine]}")
    said(judge_contract(renamed), "fail", "classes were 0, 1 and are bad, fine")


def test_golden_rows_are_run(sides: Sides) -> None:
    x_nd, _ = data()
    golden = {"instances": x_nd[:2].tolist(), "predictions": fitted().predict(x_nd[:2]).tolist()}
    manifest = "evaluation: {golden_set: {path: golden.json}}"
    said(judge_golden(sides.examined(good())), "skipped", "no golden rows")
    said(
        judge_golden(sides.examined(good(), manifest=manifest, files={"golden.json": json.dumps(golden)})), "pass", "2"
    )
    golden["predictions"] = [7, 7]
    wrong = sides.examined(good(), manifest=manifest, files={"golden.json": json.dumps(golden)})
    said(judge_golden(wrong), "fail", "golden row 0 expects 7")


def test_answers_that_are_none_fail_for_sanity(sides: Sides) -> None:
    said(judge_sanity(sides.examined(good())), "pass")
    ones = np.ones((FEATURES, 2))
    said(judge_sanity(sides.examined(linear(ones * 1e38), manifest=TWO)), "fail", "569 of 569 rows", "no finite number")
    said(judge_sanity(sides.examined(linear(ones * 1e-4), manifest=TWO)), "fail", "sum to 1 only within")
    said(judge_sanity(sides.examined(linear(ones * 0), manifest=TWO)), "fail", "the same scores")
    negative = np.stack([np.arange(FEATURES), -np.arange(FEATURES)], axis=1)
    said(judge_sanity(sides.examined(linear(negative), manifest=TWO)), "fail", "outside 0 to 1")


def test_budgets_of_policy_and_manifest_are_held(sides: Sides) -> None:
    roomy = GateRules(budget=BudgetRules(p95_ms=5_000.0, ratio=None))
    passed = said(judge_budget(sides.examined(good(), poor(), rules=roomy)), "pass", "measured on this machine")
    assert passed.numbers["memory_mb"] > 0 < passed.numbers["serving_median_ms"]
    slow = GateRules(budget=BudgetRules(p95_ms=1e-6, memory_mb=1e-6))
    said(judge_budget(sides.examined(good(), rules=slow)), "fail", "ms of its policy", "MB of its policy")
    manifest = "interface: {limits: {latency_ms: 0.000001}}\nserving: {memory_bytes: 1}"
    said(judge_budget(sides.examined(good(), rules=roomy, manifest=manifest)), "fail", "ms of its manifest")
    twice = GateRules(budget=BudgetRules(p95_ms=None, ratio=1e-6, ratio_from_ms=0.0))
    said(judge_budget(sides.examined(good(), poor(), rules=twice)), "fail", "times as long as with the serving")


def test_metrics_are_held_to_what_the_policy_demands(sides: Sides) -> None:
    found = said(judge_metrics(sides.examined(good())), "pass", "accuracy 0.9")
    assert set(found.numbers) == {"accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier", "roc_auc"}
    strict = GateRules(metrics={"accuracy": MetricRules(at_least=0.99), "log_loss": MetricRules(at_most=0.01)})
    said(judge_metrics(sides.examined(good(), rules=strict)), "fail", "at least 0.99", "at most 0.01")
    broken = sides.examined(linear(np.full((FEATURES, 2), 1e38)), manifest=TWO)
    said(judge_metrics(broken), "fail", "no finite numbers")


def test_a_version_that_is_worse_fails_the_benchmark_and_one_as_good_passes(sides: Sides) -> None:
    passed = said(judge_benchmark(sides.examined(good(), good())), "pass", "not worse than version 1")
    assert passed.numbers["metrics"]["accuracy"]["low"] == 0.0
    said(judge_benchmark(sides.examined(poor(), good())), "fail", "accuracy is worse", "roc_auc")
    said(judge_benchmark(sides.examined(good(), poor())), "pass")
    said(judge_benchmark(sides.examined(good())), "skipped", "no serving version was named")
    said(judge_benchmark(sides.examined(good(), is_first=True)), "skipped", "no version that serves yet")


def test_a_benchmark_that_shows_nothing_fails_and_says_what_would_help(sides: Sides) -> None:
    tight = GateRules(metrics={"accuracy": MetricRules(margin=0.0)})
    said(judge_benchmark(sides.examined(overconfident(), forgetful(), rules=tight)), "pass")
    alike = sides.examined(good(), good(), rules=tight)
    near = replace(alike, against_answers=alike.answers, answers=_some_turned(alike.answers, 6))
    said(judge_benchmark(near), "fail", "may be worse by", "more holdout rows would tell")


def _some_turned(answers: Any, rows: int) -> Any:
    """Turn some answers around: right ones become wrong, and the other way round."""
    _, y_n = data()
    wrong_n, right_n = np.flatnonzero(answers.codes_n != y_n), np.flatnonzero(answers.codes_n == y_n)
    codes_n = answers.codes_n.copy()
    codes_n[[*wrong_n[:rows], *right_n[:rows]]] ^= 1
    return replace(answers, codes_n=codes_n)


def test_another_kind_of_answer_cannot_be_compared(sides: Sides) -> None:
    renamed = sides.examined(good(), good(), manifest="interface: {classes: [bad, fine]}")
    said(judge_benchmark(renamed), "fail", "answers something else")


def test_a_slice_that_has_become_worse_fails(sides: Sides) -> None:
    _, y_n = data()
    halves = {"clinic": np.where(np.arange(len(y_n)) % 4 < 2, "north", "south")}
    said(judge_slices(sides.examined(good())), "skipped", "--group")
    said(judge_slices(sides.examined(good(), good(), groups=halves)), "pass", "2 slices")
    found = sides.examined(good(), good(), groups=halves)
    codes_n = np.where(halves["clinic"] == "north", 1 - found.answers.codes_n, found.answers.codes_n)
    worse = replace(found, answers=replace(found.answers, codes_n=codes_n))
    failed = said(judge_slices(worse), "fail", "clinic north", "has become worse by")
    assert "south" not in failed.detail
    gap = GateRules(slices=SliceRules(max_gap=0.2))
    said(judge_slices(replace(worse, rules=gap)), "fail", "behind all rows together")
    few = {"clinic": np.where(np.arange(len(y_n)) < 20, "tiny", "rest")}
    assert said(judge_slices(sides.examined(good(), groups=few)), "pass", "1 too small").numbers["too_small"] == 1


def test_groups_that_are_treated_differently_fail_for_fairness(sides: Sides) -> None:
    x_nd, y_n = data()
    even = {"sex": np.where(np.arange(len(y_n)) % 2, "f", "m")}
    said(judge_fairness(sides.examined(good(), groups=even)), "pass", "over sex")
    sized = {"size": np.where(x_nd[:, 0] > np.median(x_nd[:, 0]), "large", "small")}
    failed = judge_fairness(sides.examined(good(), groups=sized))
    said(failed, "fail", "demographic_parity_difference", "disparate_impact_ratio", "less than 0.8")
    told = failed.numbers["columns"]["size"]
    given_n = fitted().predict(x_nd)
    asked = {"sensitive_features": sized["size"]}
    assert told["demographic_parity_difference"] == fair.demographic_parity_difference(y_n, given_n, **asked)
    assert told["equalised_odds_difference"] == fair.equalized_odds_difference(y_n, given_n, **asked)
    assert told["disparate_impact_ratio"] == fair.demographic_parity_ratio(y_n, given_n, **asked)
    alone = {"sex": np.full(len(y_n), "f")}
    said(judge_fairness(sides.examined(good(), groups=alone)), "skipped", "no column has two groups")
    other = GateRules(fairness=FairnessRules(favourable="0"))
    assert judge_fairness(sides.examined(good(), groups=even, rules=other)).numbers["favourable"] == "0"
    with pytest.raises(CheckImpossible, match="'yes', the model has the classes 0, 1"):
        judge_fairness(sides.examined(good(), groups=even, rules=GateRules(fairness=FairnessRules(favourable="yes"))))


def test_probabilities_that_promise_too_much_fail_for_calibration(sides: Sides) -> None:
    said(judge_calibration(sides.examined(good())), "pass", "expected calibration error")
    failed = said(judge_calibration(sides.examined(overconfident())), "fail", "more than 0.05")
    assert failed.numbers["ece"] == pytest.approx(1 - (fitted().predict(data()[0]) == data()[1]).mean(), abs=0.01)
    brier = GateRules(calibration=CalibrationRules(ece=None, brier=0.001))
    said(judge_calibration(sides.examined(good(), rules=brier)), "fail", "the Brier score")
    few = GateRules(calibration=CalibrationRules(least_rows=10_000))
    said(judge_calibration(sides.examined(good(), rules=few)), "skipped", "569 rows")


def test_missing_values_go_the_way_of_a_request(sides: Sides) -> None:
    said(judge_robustness(sides.examined(good())), "skipped", "missing: reject")
    found = said(judge_robustness(sides.examined(good(), manifest=MAY_MISS)), "pass", "10% of values missing")
    assert found.numbers["whole"] > 0.9
    assert set(found.numbers["without"]) == {f"f{j}" for j in range(FEATURES)}
    wide = sides.examined(good(), manifest=MAY_MISS, rules=GateRules(robustness=RobustnessRules(missing_share=0.9)))
    said(judge_robustness(wide), "fail", "accuracy falls from")
    broken = sides.examined(linear(np.full((FEATURES, 2), 1e10)), manifest=BREAKS)
    said(judge_robustness(broken), "fail", "no finite numbers")


def test_importance_is_scikit_learns(sides: Sides) -> None:
    x_nd, y_n = data()
    examination = sides.examined(good())
    drops = permutation_importance(
        examination.candidate, {"X": x_nd}, y_n, SCORES["accuracy"], 10, np.random.default_rng(0)
    )
    expected = by_scikit_learn(fitted(), x_nd, y_n, n_repeats=10, random_state=1).importances_mean
    assert np.allclose([drop_r.mean() for drop_r in drops.values()], expected, atol=0.02)


def test_features_that_bear_too_much_fail_for_attribution(sides: Sides) -> None:
    said(judge_attribution(sides.examined(good())), "pass", "most hangs on")
    leak = sides.examined(forgetful(), rules=GateRules(attribution=AttributionRules(max_share=0.9)))
    name = leak.candidate.contract.features[0].name
    failed = said(judge_attribution(leak), "fail", "100%", "has the label leaked")
    assert failed.numbers["features"][0]["feature"] == name
    sensitive = GateRules(attribution=AttributionRules(at_most={name: 0.1}))
    said(judge_attribution(sides.examined(forgetful(), rules=sensitive)), "fail", f"{name} bears 100.0%")


def test_papers_that_are_not_complete_fail_and_say_what_to_add(sides: Sides) -> None:
    complete = sides.examined(good(), manifest=COMPLETE, files={"card.md": "# Cancer"})
    said(judge_lineage(complete), "pass")
    said(judge_card(complete), "pass")
    bare = sides.examined(good())
    lacks = ("code.commit", "data names", "definition_version", "hyperparameters", "image_digest", "random_seeds")
    said(judge_lineage(bare), "fail", *lacks)
    said(judge_card(bare), "fail", "intended_use", "owner has neither", "no card.md")
    dirty = sides.examined(good(), manifest=COMPLETE.replace("commit: 0a1b2c", "commit: 0a1b2c, dirty: true"))
    said(judge_lineage(dirty), "fail", "not what was run")
    said(judge_lineage(sides.examined(good(), rules=GateRules(lineage=()))), "skipped")
    said(judge_card(sides.examined(good(), rules=GateRules(card=()))), "skipped")


def test_required_gates_must_have_been_judged_but_a_first_release_compares_with_nothing(sides: Sides) -> None:
    rules = GateRules(require=("golden", "benchmark"), replicates=100)
    heard = []
    found = judge_all(
        sides.examined(good(), rules=rules, is_first=True), lambda gate, done, total: heard.append((gate, done, total))
    )
    by_name = {result.name: result for result in found}
    assert tuple(by_name) == GATES
    said(by_name["golden"], "fail", "the policy requires it")
    said(by_name["benchmark"], "skipped")
    named = judge_all(sides.examined(good(), rules=rules), lambda gate, done, total: None)
    said({result.name: result for result in named}["benchmark"], "fail", "the policy requires it")
    assert list(dict.fromkeys(gate for gate, done, total in heard if done == total)) == [*GATES]


def test_of_a_version_that_does_not_load_nothing_else_is_judged() -> None:
    found = refused_load(GateRules(require=("golden",)), "its graph is broken")
    assert [result.outcome for result in found[:4]] == ["fail", "skipped", "fail", "skipped"]
    assert "its graph is broken" in found[0].detail
