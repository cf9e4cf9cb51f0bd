"""Whether the version gives the answers that its publisher wrote down beside it."""

from __future__ import annotations

from gateway.engine.golden import GoldenRows
from gateway.engine.session import RunFailed
from gateway.errors import VersionRefused
from gateway.release.document import GateResult
from gateway.release.examination import Examination
from gateway.release.gates.verdict import judged, skipped

__all__ = ["judge_golden"]


def judge_golden(examination: Examination) -> GateResult:
    """Run the golden rows of the bundle through the candidate."""
    version = examination.candidate
    if examination.bundle.golden is None:
        return skipped("golden", "the bundle has no golden rows (evaluation.golden_set in model.yaml)")
    try:
        golden = GoldenRows.read(examination.bundle, version.contract, version.inputs, version.ranks)
        golden.check(version)
    except VersionRefused as refused:
        return judged("golden", [refused.why], "")
    except RunFailed as failed:
        return judged("golden", [f"the model fails on the golden rows: {failed}"], "")
    n = golden.decoded.n
    return judged(
        "golden", [], f"{n} golden rows within {golden.tolerance:g}", {"rows": n, "tolerance": golden.tolerance}
    )
