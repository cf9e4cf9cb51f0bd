"""Whether the manifest's data-quality rules fit the features of the graph: what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.contract import Feature
from gateway.rules import Categories, Missingness, Rule

__all__ = ["rule_problems"]

_MOST_NAMES: Final = 12


def rule_problems(rules: Sequence[Rule], features: Sequence[Feature]) -> list[str]:
    """Return what keeps rules from being judged on these features; nothing where all fit.

    >>> from gateway.rules import Range
    >>> rule_problems([Rule(name="adult", range=Range(feature="agee", min=18))], [Feature("age", "float32")])
    ["interface.rules[0] 'adult': 'agee' is no feature; name one of 'age'"]
    """
    known = {feature.name: feature for feature in features}
    return [
        f"interface.rules[{i}] {rule.name!r}: {problem}"
        for i, rule in enumerate(rules)
        for problem in _problems(rule, known)
    ]


def _problems(rule: Rule, known: Mapping[str, Feature]) -> Iterator[str]:
    if not known:
        yield "the model takes tensors without named features, which rules cannot judge; leave the rule out"
        return
    unknown = [name for name in dict.fromkeys(rule.features) if name not in known]
    for name in unknown:
        more = ", ..." if len(known) > _MOST_NAMES else ""
        yield f"{name!r} is no feature; name one of {', '.join(map(repr, [*known][:_MOST_NAMES]))}{more}"
    if unknown:
        return
    if rule.missing:
        yield from _never_missing(rule.missing, known)
    elif rule.categories:
        yield from _other_categories(rule.categories, known[rule.categories.feature])
    else:
        for name in dict.fromkeys(rule.features):
            if known[name].dtype == "string":
                yield f"{name!r} is a string; {rule.kind} is about numbers, use categories"


def _never_missing(missing: Missingness, known: Mapping[str, Feature]) -> Iterator[str]:
    """A rule that cannot break is a mistake: nobody would notice that it guards nothing."""
    refused = [name for name in missing.features if known[name].missing == "reject"]
    if len(missing.features) - len(refused) <= missing.at_most:
        yield (
            f"it never breaks, since {', '.join(map(repr, refused))} may not be missing at all; "
            "set missing: impute or flag for them, or leave the rule out"
        )


def _other_categories(categories: Categories, feature: Feature) -> Iterator[str]:
    are_texts, is_text = isinstance(categories.one_of[0], str), feature.dtype == "string"
    if are_texts != is_text:
        yield f"{feature.name!r} is {feature.dtype}; one_of needs {'strings' if is_text else 'numbers'}"
