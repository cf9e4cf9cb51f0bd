"""Whether whatever a client sends to the serving version may be sent to the candidate, and is answered alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.contract import Contract, Feature
from gateway.release.document import GateResult
from gateway.release.examination import Examination
from gateway.release.gates.verdict import judged, skipped
from gateway.types import TensorSpec

__all__ = ["incompatibilities", "judge_contract"]


def judge_contract(examination: Examination) -> GateResult:
    """Hold the candidate's contract to the serving version's."""
    serving, candidate = examination.against, examination.candidate
    if serving is None:
        return skipped("contract", "no version serves that clients could be used to")
    faults = list(incompatibilities(serving.contract, candidate.contract))
    if candidate.contract.layout == "tensors" == serving.contract.layout:
        faults += _other_tensors(serving.inputs, candidate.inputs)
    known = {feature.name for feature in serving.contract.features}
    added = [feature.name for feature in candidate.contract.features if feature.name not in known]
    good = f"what clients send to version {serving.version} is taken, and answered in the same form"
    return judged("contract", faults, good, {"features": len(candidate.contract.features), "added": added})


def incompatibilities(serving: Contract, candidate: Contract) -> Iterator[str]:
    """Name everything that clients of the serving version would be refused or misunderstood for.

    Tightened ranges and categories count only where the candidate rejects what is outside: flagged and imputed values
    are answered.
    """
    if (serving.layout == "tensors") != (candidate.layout == "tensors"):
        yield f"inputs were {serving.layout} and are {candidate.layout}"
        return
    ours = {feature.name: feature for feature in candidate.features}
    theirs = {feature.name: feature for feature in serving.features}
    for name in theirs:
        if name not in ours and candidate.unknown_features == "reject":
            yield f"feature {name!r} is gone, and a request that has it is refused"
    for name, feature in ours.items():
        if name in theirs:
            yield from _narrowed(theirs[name], feature)
        elif feature.missing == "reject":
            yield f"feature {name!r} is new, and a request without it is refused"
    shared = [name for name in theirs if name in ours]
    if shared != [name for name in ours if name in theirs] or list(ours)[: len(shared)] != shared:
        yield "features have another order: rows that are sent as lists would be misread"
    yield from _answers(serving, candidate)


def _narrowed(before: Feature, after: Feature) -> Iterator[str]:
    name = f"feature {after.name!r}"
    if (before.dtype == "string") != (after.dtype == "string"):
        yield f"{name} was {before.dtype} and is {after.dtype}"
        return
    if before.dtype.startswith("float") and not after.dtype.startswith("float") and after.dtype != "string":
        yield f"{name} was {before.dtype} and is {after.dtype}: fractions are refused"
    if after.missing == "reject" and before.missing != "reject":
        yield f"{name} may no longer be missing"
    if after.out_of_range == "reject" and _is_tighter(before, after):
        yield f"{name} has a tighter range, and what is outside is refused"
    lost = sorted(map(str, set(before.categories) - set(after.categories)))
    if after.unseen == "reject" and after.categories and (lost or not before.categories):
        yield f"{name} refuses categories that were taken: {', '.join(lost[:5]) or 'any'}"


def _is_tighter(before: Feature, after: Feature) -> bool:
    was_refused = before.out_of_range == "reject"
    low = before.minimum if was_refused else None
    high = before.maximum if was_refused else None
    raised = after.minimum is not None and (low is None or after.minimum > low)
    lowered = after.maximum is not None and (high is None or after.maximum < high)
    return raised or lowered


def _answers(serving: Contract, candidate: Contract) -> Iterator[str]:
    before, after = serving.output_schema, candidate.output_schema
    if before.kind != after.kind:
        yield f"answers were a {before.kind} and are a {after.kind}"
    elif serving.outputs.probabilities and not candidate.outputs.probabilities:
        yield "answers had probabilities and have none"
    elif before.classes != after.classes:
        yield f"classes were {', '.join(before.classes[:10])} and are {', '.join(after.classes[:10])}, in this order"


def _other_tensors(before: Mapping[str, TensorSpec], after: Mapping[str, TensorSpec]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield f"input {name!r} was {before.get(name)} and is {after.get(name)}"
