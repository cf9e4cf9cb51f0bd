"""The section ``release`` of the governance policy: what each gate demands, by tier and by model where they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Final, Literal, get_args

from gateway.codec.documents import read_document
from gateway.codec.strict import exact
from gateway.errors import DocumentInvalid
from gateway.release.document import Tier

__all__ = [
    "GATES",
    "METRICS",
    "AttributionRules",
    "BudgetRules",
    "CalibrationRules",
    "FairnessRules",
    "GateName",
    "GateRules",
    "LineageAxis",
    "MetricName",
    "MetricRules",
    "ReleaseRules",
    "RobustnessRules",
    "SliceRules",
]

GateName = Literal[
    "load", "contract", "golden", "sanity", "budget", "metrics", "benchmark", "slices", "fairness", "calibration",
    "robustness", "attribution", "lineage", "card",
]  # fmt: skip
MetricName = Literal[
    "accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss", "brier", "mae", "rmse", "r2"
]  # fmt: skip
LineageAxis = Literal["code", "data", "features", "hyperparameters", "runtime", "seeds"]
CardField = Literal["description", "intended_use", "out_of_scope_use", "owner", "license", "text"]

GATES: Final[tuple[GateName, ...]] = get_args(GateName)
METRICS: Final[tuple[MetricName, ...]] = get_args(MetricName)

_SHARE: Final = {"least": 0.0, "most": 1.0}
_POSITIVE: Final = {"least": 0.0, "most": 1e12}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRules:
    """What one metric must be on the holdout, and how much worse than the serving version's it may be.

    ``margin`` is in the metric's own units, ``relative_margin`` a share of the serving version's value; with both, the
    wider one holds. Without either the two versions are not compared by this metric.
    """

    at_least: float | None = None
    at_most: float | None = None
    margin: float | None = field(default=None, metadata=_POSITIVE)
    relative_margin: float | None = field(default=None, metadata=_POSITIVE)


def _default_metrics() -> dict[MetricName, MetricRules]:
    return {
        "accuracy": MetricRules(margin=0.01),
        "roc_auc": MetricRules(margin=0.01),
        "log_loss": MetricRules(relative_margin=0.05),
        "rmse": MetricRules(relative_margin=0.05),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """What the version may take on the machine that checks it.

    ``p95_ms`` bounds a run of one row; ``ratio`` its median over the serving version's, judged only where the median is
    above ``ratio_from_ms``: below that nobody notices. ``memory_mb`` bounds what loading takes outside Python.
    """

    p95_ms: float | None = field(default=100.0, metadata=_POSITIVE)
    ratio: float | None = field(default=2.0, metadata=_POSITIVE)
    ratio_from_ms: float = field(default=1.0, metadata=_POSITIVE)
    memory_mb: float | None = field(default=None, metadata=_POSITIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRules:
    """How even the version must be over the values of the group columns; slices of fewer rows are not judged.

    ``max_gap`` bounds how much worse the worst slice is than all rows together, ``max_drop`` by how much a slice may be
    shown to have become worse than with the serving version; both in accuracy, for a regression in shares of the mean
    absolute error of all rows.
    """

    max_gap: float | None = field(default=None, metadata=_POSITIVE)
    max_drop: float | None = field(default=0.05, metadata=_POSITIVE)
    least_rows: int = field(default=100, metadata={"least": 2, "most": 1e9})


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessRules:
    """How differently groups may be treated. ``favourable`` is the class that is good for whom it is given to.

    Without ``favourable`` it is the second class of a model with two. ``demographic_parity`` and ``equalised_odds``
    bound differences of rates, ``disparate_impact`` is the least ratio of selection rates (0.8: the four-fifths rule).
    """

    favourable: str | None = None
    demographic_parity: float | None = field(default=0.1, metadata=_SHARE)
    equalised_odds: float | None = field(default=0.1, metadata=_SHARE)
    disparate_impact: float | None = field(default=0.8, metadata=_SHARE)
    least_rows: int = field(default=100, metadata={"least": 2, "most": 1e9})


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRules:
    """How well probabilities must tell frequencies: bounds of the expected calibration error and the Brier score."""

    ece: float | None = field(default=0.05, metadata=_SHARE)
    brier: float | None = field(default=None, metadata={"least": 0.0, "most": 2.0})
    bins: int = field(default=15, metadata={"least": 2, "most": 100})
    least_rows: int = field(default=200, metadata={"least": 2, "most": 1e9})


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessRules:
    """By how much accuracy (R² of a regression) may fall when ``missing_share`` of the values are missing."""

    missing_share: float = field(default=0.1, metadata=_SHARE)
    max_drop: float | None = field(default=0.05, metadata=_POSITIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionRules:
    """How much of the answers may hang on single features, as shares of all positive importance.

    ``max_share`` bounds the largest, which finds a label that leaked into a feature; ``at_most`` bounds features by
    name, such as a sensitive one.
    """

    repeats: int = field(default=3, metadata={"least": 1, "most": 100})
    max_share: float | None = field(default=None, metadata=_SHARE)
    at_most: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What all gates demand of one version.

    Parameters
    ----------
    require
        Gates that must have been judged: skipped, they fail.
    metrics
        By name; those that a model of its kind does not have are left aside.
    groups
        Columns of the holdout whose values are slices, and groups for fairness, besides those that the command names.
    confidence
        Of all intervals, two-sided.
    replicates
        Resamples of the paired bootstrap.
    lineage, card
        What the manifest must tell.

    Raises
    ------
    ValueError
        A number outside its bounds, or a gate that nothing can be required of.
    """

    require: tuple[GateName, ...] = ()
    metrics: dict[MetricName, MetricRules] = field(default_factory=_default_metrics)
    groups: tuple[str, ...] = ()
    confidence: float = field(default=0.95, metadata={"least": 0.5, "most": 0.9999})
    replicates: int = field(default=500, metadata={"least": 100, "most": 10_000})
    seed: int = field(default=0, metadata={"least": 0, "most": 2**32 - 1})
    budget: BudgetRules = BudgetRules()
    slices: SliceRules = SliceRules()
    fairness: FairnessRules = FairnessRules()
    calibration: CalibrationRules = CalibrationRules()
    robustness: RobustnessRules = RobustnessRules()
    attribution: AttributionRules = AttributionRules()
    lineage: tuple[LineageAxis, ...] = get_args(LineageAxis)
    card: tuple[CardField, ...] = get_args(CardField)

    def __post_init__(self) -> None:
        strange = [name for name in self.metrics if name not in METRICS]
        named = [f"/metrics/{name}: one of {', '.join(METRICS)}" for name in strange]
        shares = self.attribution.at_most.items()
        named += [f"/attribution/at_most/{name}: a number from 0 to 1" for name, most in shares if not 0 <= most <= 1]
        if faults := [*named, *_outside(self, "")]:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRules(GateRules):
    """The section as the file has it: rules for all, and what differs by tier and then by model.

    An entry of ``tiers`` or ``models`` holds members of the rules, as deep as they differ.

    >>> rules = ReleaseRules(tiers={"high": {"calibration": {"ece": 0.02}}}, models={"loan": {"require": ["fairness"]}})
    >>> strict = rules.of("loan", "high")
    >>> strict.calibration.ece, strict.calibration.bins, strict.require
    (0.02, 15, ('fairness',))
    >>> rules.of("fraud", "minimal") == GateRules()
    True
    """

    tiers: dict[Tier, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        GateRules.__post_init__(self)  # a slotted class is built twice, so that super() names the first
        if strange := [tier for tier in self.tiers if tier not in get_args(Tier)]:
            raise ValueError(f"/tiers/{strange[0]}: one of {', '.join(get_args(Tier))}")
        for tier in ("", *self.tiers):
            for model in ("", *self.models):
                self.of(model, tier)

    def of(self, model: str, tier: str) -> GateRules:
        """Return what holds for a version of this model and tier; ``ValueError`` for an entry that breaks a rule."""
        plain = asdict(self)
        overrides = {f"tiers/{tier}": plain.pop("tiers").get(tier), f"models/{model}": plain.pop("models").get(model)}
        for where, override in overrides.items():
            if override is not None and not isinstance(override, Mapping):
                raise ValueError(f"{where}: members of the rules, such as calibration")
            plain = _merged(plain, override or {})
        try:
            return read_document(plain, GateRules, source="release")
        except DocumentInvalid as error:
            named = " with ".join(where for where, override in overrides.items() if override)
            raise ValueError(f"{named}: {'; '.join(map(str, error.faults))}") from error


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        merged[name] = _merged(base[name], value) if both else value
    return merged


def _outside(value: object, at: str) -> Iterator[str]:
    """Name every number that is outside the bounds that its field tells, in the dataclasses below too."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{at}: a finite number"
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _outside(item, f"{at}/{name}")
    elif is_dataclass(value):
        for declared in fields(value):
            member, here = getattr(value, declared.name), f"{at}/{declared.name}"
            least, most = declared.metadata.get("least"), declared.metadata.get("most")
            if least is not None and most is not None and member is not None and not least <= member <= most:
                yield f"{here}: a number from {exact(least)} to {exact(most)}"
            yield from _outside(member, here)
