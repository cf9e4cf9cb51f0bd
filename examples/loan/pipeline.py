"""From raw applications to a rollout: ``python -m examples.loan.pipeline --help``."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from examples.loan.bundles import package
from examples.loan.data import generate, split, validate
from examples.loan.stages import Pipeline, Stage, digest_of
from examples.loan.training import train
from gateway.cli import build_app
from gateway.commands.admin import client_of
from gateway.commands.problem import ProblemReported

__all__ = ["FLAWS", "Candidate", "candidate", "deploy", "register", "weir"]

HERE = Path(__file__).parent
FLAWS = {
    "load": "misfit",
    "contract": "demanding",
    "golden": "untested",
    "sanity": "leaking",
    "budget": "slow",
    "metrics": "ignorant",
    "benchmark": "forgetful",
    "slices": "prejudiced",
    "fairness": "prejudiced",
    "calibration": "overconfident",
    "robustness": "gullible",
    "attribution": "redlining",
    "lineage": "dirty",
    "card": "unexplained",
}
"""For each gate a flaw that it finds."""

LEARNED = ("leaking", "ignorant", "forgetful", "prejudiced", "overconfident", "redlining")
"""Flaws of what was learned; the others are flaws of the papers around it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle that was checked: the stage that holds it, the stage that holds its report, and how it came out."""

    number: str
    bundle: Stage
    checked: Stage
    failed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return not self.failed


def candidate(
    pipeline: Pipeline,
    models: Path,
    number: str,
    *,
    flaw: str = "",
    against: str | None = None,
    rows: int = 5_000,
    seed: int = 1,
    strength: float = 1.0,
    commit: str = "0000000",
) -> Candidate:
    """Run every stage up to the release check.

    Parameters
    ----------
    models
        Folder of models in which the version to compare with is registered.
    against
        That version; ``None`` for a first release.
    strength
        Inverse of the regularisation that it learns with.
    """
    raw = pipeline.stage("data", generate, rows=rows, seed=seed)
    valid = pipeline.stage("validation", validate, raw)
    features = pipeline.stage("features", split, valid, holdout=0.4, seed=seed)
    learned = flaw if flaw in LEARNED else ""
    trained = pipeline.stage(
        "training", train, features, part=learned or f"{strength:g}", flaw=learned, strength=strength
    )
    bundle = pipeline.stage(
        "packaging",
        package,
        features,
        trained,
        part=flaw or number,
        number=number,
        commit=commit,
        flaw=flaw,
        strength=strength,
    )
    serving = [] if against is None else [models / "loan" / against]
    checked = pipeline.stage(
        "check", check, bundle, features, HERE / "policy.yaml", *serving, part=flaw or number, number=number
    )
    report = json.loads((checked / "report.json").read_text())
    failed = tuple(gate["name"] for gate in report["gates"] if gate["outcome"] == "fail")
    return Candidate(number, bundle, checked, failed)


def check(out: Path, bundle: Stage, features: Stage, policy: Path, *serving: Path, number: str) -> None:
    """Hold the bundle to its gates beside the version that serves; a verdict either way is an output."""
    models = out / "models"
    for folder in serving:
        shutil.copytree(folder, models / "loan" / folder.name)
    shutil.copytree(bundle.folder, models / "loan" / number, ignore=shutil.ignore_patterns("stage.json"))
    compared = ["--against", serving[0].name] if serving else ["--first-release"]
    files = ["--holdout", features / "holdout.csv", "--label", "decision", "--policy", policy, "--models", models]
    weir("release", "check", "loan", number, *compared, *files, "--out", out)
    shutil.rmtree(models)


def register(models: Path, one: Candidate) -> Path:
    """Put a version that passed where the gateway finds it, whole or not at all; again is no harm.

    Raises
    ------
    ValueError
        The version did not pass, or other files stand under its number.
    """
    if not one.passed:
        raise ValueError(f"version {one.number} fails {', '.join(one.failed)}: it is not registered")
    target = models / "loan" / one.number
    draft = models.with_name(f"{models.name}.draft") / one.number
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(one.bundle.folder, draft, ignore=shutil.ignore_patterns("stage.json"))
    if target.exists():
        if digest_of(target) != digest_of(draft):
            raise ValueError(f"{target} holds other files: publish a new version instead")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(target)
    return target


def deploy(one: Candidate, url: str) -> None:
    """Hand the report over and ask for traffic: all of it for the model's first version, a rollout for a later one.

    Again is no harm: what is stable stays so, and nothing is begun where the newest rollout is this version's already.

    Raises
    ------
    ProblemReported
        The gateway refuses, for want of approvals as long as there are too few: try again when they are given.
    """
    weir("load", "loan", one.number, "--reason", "candidate of the example", "--url", url)
    weir("release", "submit", one.checked.folder, "--url", url)
    client, why = client_of(url, None, None), ("--reason", "passed its release check", "--url", url)
    route = next(told["route"] for told in client.get("models")["models"] if told["model"] == "loan")
    if route is None:
        weir("route", "set", "loan", "--stable", one.number, *why)
        return
    rollouts = client.get("rollouts")["rollouts"]
    is_begun = any(told["model"] == "loan" and told["candidate"] == one.number for told in rollouts)
    if route["stable"] != one.number and not is_begun:
        weir("rollout", "start", "loan", one.number, "--plan", HERE / "plan.yaml", *why)


def weir(*arguments: object) -> int:
    """Run a command of ``weir`` in this process and return its exit code, 0 or 1; raise what kept it from one."""
    return int(_command().main([str(argument) for argument in arguments], standalone_mode=False) or 0)


@cache
def _command() -> Any:
    return typer.main.get_command(build_app())


def main() -> None:
    """Run the example from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", help="number of the version to make")
    parser.add_argument("--work", type=Path, default=Path("loan-work"), help="folder of the stages")
    parser.add_argument("--models", type=Path, default=Path("loan-models"), help="folder of models")
    parser.add_argument("--flaw", choices=sorted(set(FLAWS.values())), default="", help="spoil it in one way")
    parser.add_argument("--strength", type=float, default=1.0, help="inverse of the regularisation")
    parser.add_argument("--against", help="version to compare with; a first release without")
    parser.add_argument("--url", help="gateway that it is to serve on; else it is only registered")
    asked = parser.parse_args()
    pipeline = Pipeline(asked.work)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    made = candidate(
        pipeline,
        asked.models,
        asked.number,
        flaw=asked.flaw,
        against=asked.against,
        strength=asked.strength,
        commit=commit or "0000000",
    )
    print(f"ran {', '.join(pipeline.ran) or 'nothing'}; kept {', '.join(pipeline.kept) or 'nothing'}")
    if not made.passed:
        sys.exit(f"version {made.number} fails {', '.join(made.failed)}: see {made.checked / 'report.html'}")
    print(f"registered {register(asked.models, made)}")
    if asked.url:
        try:
            deploy(made, asked.url)
        except ProblemReported as problem:
            sys.exit(str(problem))


if __name__ == "__main__":
    main()
