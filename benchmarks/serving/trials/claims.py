"""The targets of the trials, each with what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TypeVar

from benchmarks.serving.claims import Claim
from benchmarks.serving.trials.records import (
    Isolation,
    Overload,
    Record,
    Refusal,
    Reload,
    Soak,
    Start,
    Workers,
    of_type,
)

__all__ = ["noise", "refusal_share", "trial_claims"]

_R = TypeVar("_R", bound=Record)
_LEAST_NOISE, _MOST_NOISE = 1.1, 1.5


def trial_claims(records: Sequence[Record]) -> list[Claim]:
    """Return the claims of what was measured; medians over rounds, failures added up."""
    overloads = of_type(records, Overload)
    return [
        *(claim for part in _parts(overloads) for claim in _overload(_of(overloads, part), records)),
        *_isolation(of_type(records, Isolation)),
        *_start(of_type(records, Start)),
        *_reload(of_type(records, Reload)),
        *_workers(of_type(records, Workers)),
        *_soak(of_type(records, Soak)),
    ]


def _parts(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record.part for record in records))


def _of(records: Sequence[_R], part: str) -> list[_R]:
    return [record for record in records if record.part == part]


def refusal_share(records: Sequence[Record], part: str) -> tuple[float, str]:
    """Return the cost of a refusal relative to an answer, and how it was measured.

    A client over its quota is refused in the same place as one that finds the service full, and can be measured alone.
    Without that, or for another model, it is what an overload took beyond its answers.
    """
    refusals = [found for found in of_type(records, Refusal) if found.refused > 100 * found.answered]
    if part.startswith("small") and refusals:
        return median(share for found in refusals for share in found.shares), "429"
    overloads = _of(of_type(records, Overload), part)
    return median(found.refusal_us / found.answer_us for found in overloads), "503 at 4x"


def _overload(found: Sequence[Overload], records: Sequence[Record]) -> Iterator[Claim]:
    def mid(of: Callable[[Overload], float]) -> float:
        return median(of(record) for record in found)

    part, deadline_ms = found[0].part, found[0].deadline_ms
    multiple = median(multiple for one in found for multiple in one.multiples)
    where = f"{part}, bursts at {multiple:.1f} times the capacity:"
    good = median(share for one in found for share in one.shares)
    if part.startswith("small"):
        share, how = refusal_share(records, part)
        cost = (
            "the cost of a refusal unknown" if share != share else f"a refusal costing {share:.2f} of an answer ({how})"
        )
        bound = max(min((1 - multiple * share) / (1 - share), multiple, 1.0) - 0.05, 0.0)
        yield Claim(f"{where} goodput to capacity, {cost}", good, bound)
    else:
        yield Claim(f"{where} goodput to capacity", good, 0.9)
    calm_ms = mid(lambda one: one.calm_p99_ms)
    text = f"{where} p99 of answers in ms, to twice that at 0.8x or the deadline"
    yield Claim(text, mid(lambda one: one.full_p99_ms), max(2 * calm_ms, deadline_ms), at_most=True)
    yield Claim(
        f"{where} failures other than 503 and 504 with a reason", sum(map(_unexplained, found)), 0, at_most=True
    )
    yield Claim(f"{where} 503 without retry-after", sum(one.unhinted for one in found), 0, at_most=True)
    yield Claim(f"{where} memory after to before", mid(lambda one: one.after_mb / one.before_mb), 1.05, at_most=True)
    text = f"{part}, first second after the bursts: rate to capacity"
    yield Claim(text, mid(lambda one: one.after[0]), 0.95)


def _unexplained(found: Overload) -> int:
    """Count answers that are neither 503 nor 504 with a problem type, and requests without an answer."""
    explained = sum(n for name, n in found.problems.items() if name.startswith(("503 ", "504 ")))
    return sum(found.problems.values()) - explained + found.no_answer


def noise(found: Sequence[Isolation]) -> float:
    """Return by which factor stable's p99 differs between stretches without any trouble: the highest to the median.

    At least 1.1, and at most 1.5: a machine that is noisier than that shows nothing.
    """
    calm_ms = [p99_ms for one in found for p99_ms in one.around_p99_ms]
    return min(max(max(calm_ms) / median(calm_ms), _LEAST_NOISE), _MOST_NOISE)


def _isolation(found: Sequence[Isolation]) -> Iterator[Claim]:
    for part in _parts(found):
        of_part = _of(found, part)
        ratio = median(one.p99_ms / median(one.around_p99_ms) for one in of_part)
        yield Claim(f"{part}: stable's p99 to that without", ratio, noise(found), at_most=True)
        yield Claim(f"{part}: requests not answered with 200", sum(one.errors for one in of_part), 0, at_most=True)


def _start(found: Sequence[Start]) -> Iterator[Claim]:
    if found:
        seconds = median(second for one in found for second in one.seconds)
        yield Claim("one small model: start to first answer, seconds", seconds, 1.5, at_most=True)


def _reload(found: Sequence[Reload]) -> Iterator[Claim]:
    if not found:
        return
    where = f"reload of {median(one.model_mb for one in found):.0f} MB under load:"
    slower = median(one.during_p99_ms / one.before_p99_ms for one in found)
    yield Claim(f"{where} p99 during to before", slower, 1.5, at_most=True)
    yield Claim(f"{where} requests not answered with 200", sum(one.failures for one in found), 0, at_most=True)
    memory = median(one.after_mb / one.before_mb for one in found)
    yield Claim(f"{where} memory after to before", memory, 1.05, at_most=True)


def _workers(found: Sequence[Workers]) -> Iterator[Claim]:
    if found:
        ratio = median(ratio for record in found for ratio in record.ratios)
        yield Claim("MLP: two workers on two cores to one on one", ratio, 1.7)
        failures = sum(record.failures for record in found)
        yield Claim("the same: requests not answered with 200", failures, 0, at_most=True)


def _soak(found: Sequence[Soak]) -> Iterator[Claim]:
    for one in found[-1:]:
        where = f"{one.minutes:.3g} minutes of bad clients:"
        yield Claim(f"{where} kinds of client with an undeserved answer", len(one.undeserved), 0, at_most=True)
        wrong = sum(not low <= counted <= high for low, high, counted in one.counters.values())
        yield Claim(f"{where} counters that are wrong, of {len(one.counters)}", wrong, 0, at_most=True)
        slope, mean = one.growth["anonymous MB"]
        yield Claim(f"{where} growth of memory, as a share of it", slope * one.minutes / mean, 0.03, at_most=True)
        for figure, most in (("asyncio tasks", 1.0), ("open files", 2.0), ("threads", 1.0)):
            yield Claim(f"{where} growth of {figure}", one.growth[figure][0] * one.minutes, most, at_most=True)
