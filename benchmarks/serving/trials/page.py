"""The trials' part of the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles

from benchmarks.serving.markdown import claim_table, number, percent, replace_marked, table
from benchmarks.serving.trials.claims import noise, refusal_share, trial_claims
from benchmarks.serving.trials.records import Isolation, Overload, Record, Reload, Soak, Start, Workers, of_type

__all__ = ["report", "write_page"]

_MARK = "benchmarks/serving/trials"


def report(records: Sequence[Record], remark: str = "") -> str:
    """Return the whole section: how it was measured, targets, and a table for each trial that was run."""
    loud = sum(record.foreign > 0.05 for record in records)
    how = f"Parts: {len(records)}, of which {loud} had other processes on more than 5 % of a core. {remark}".strip()
    parts = [how, "### Targets in trouble", claim_table(trial_claims(records), "within this run")]
    for title, section in _sections(records):
        parts += [f"### {title}", section]
    return "\n\n".join(parts)


def write_page(page: Path, records: Sequence[Record], remark: str) -> None:
    """Replace the marked part of the page."""
    replace_marked(page, _MARK, report(records, remark))


def _sections(records: Sequence[Record]) -> Iterator[tuple[str, str]]:
    if overloads := of_type(records, Overload):
        yield "Overload", _overload_table(overloads, records)
    if isolations := of_type(records, Isolation):
        yield "Versions in trouble", _isolation_table(isolations)
    if starts := of_type(records, Start):
        yield "Starts", _starts_table(starts)
    if reloads := of_type(records, Reload):
        yield "Reloads", _reload_table(reloads)
    if workers := of_type(records, Workers):
        yield "Workers", _workers_table(workers)
    for soak in of_type(records, Soak)[-1:]:
        yield "Bad clients", "\n\n".join(_soak_parts(soak))


def _overload_table(found: Sequence[Overload], records: Sequence[Record]) -> str:
    heads = (
        "bursts, each round", "capacity req/s", "0.8x: good", "0.8x: p99 ms", "offered", "of capacity",
        "above it: good", "good of capacity", "p99 ms of answers", "refusal of answer", "other answers", "no answer",
        "MB before", "MB after", "after 1 s", "2 s", "3 s", "503 in them", "foreign CPU", "held", "slipped s",
    )  # fmt: skip
    return table(heads, [_overload_row(one, records) for one in found])


def _overload_row(one: Overload, records: Sequence[Record]) -> list[str]:
    share, how = refusal_share(records, one.part)
    return [
        one.part,
        *map(
            number, (median(one.capacity), one.calm_good, one.calm_p99_ms, median(one.offered), median(one.multiples))
        ),
        number(median(one.good)),
        _middle(one.shares),
        number(one.full_p99_ms),
        f"{number(share)} ({how})" if share == share else "",
        _counts(one.problems),
        str(one.no_answer),
        number(one.before_mb),
        number(one.after_mb),
        *map(percent, one.after),
        f"{sum(one.after_refused):,}",
        percent(one.foreign),
        str(one.held),
        number(one.slipped_s),
    ]


def _middle(ratios: Sequence[float]) -> str:
    """Return the median, and the quartiles around it."""
    low, mid, high = quantiles(ratios, n=4) if len(ratios) > 1 else [*ratios] * 3
    return f"{mid:.2f} ({low:.2f} to {high:.2f})"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} x {name}" for name, n in sorted(counts.items()))


def _isolation_table(found: Sequence[Isolation]) -> str:
    heads = (
        "trouble, each round", "req/s", "stable: p50 ms", "stable: p99 ms", "p99 ms before", "p99 ms after",
        "canary's callers: p99 ms", "of them", "not 200", "foreign CPU",
    )  # fmt: skip
    rows = [
        (
            one.part,
            *map(number, (one.offered, one.p50_ms, one.p99_ms, *one.around_p99_ms, one.canary_p99_ms)),
            f"{one.canary_answers:,}",
            _counts(one.problems) or "0",
            percent(one.foreign),
        )
        for one in found
    ]
    spread = f"Between stretches without trouble stable's p99 differs by a factor of {number(noise(found))}."
    return f"{table(heads, rows)}\n\n{spread}"


def _starts_table(found: Sequence[Start]) -> str:
    rows = [
        (
            str(len(one.seconds)),
            *map(number, (min(one.seconds), median(one.seconds), max(one.seconds))),
            percent(one.foreign),
        )
        for one in found
    ]
    return table(("starts", "shortest s", "median s", "longest s", "foreign CPU"), rows)


def _reload_table(found: Sequence[Reload]) -> str:
    heads = (
        "MB of the model", "reloads", "s each", "req/s", "p99 ms before", "p50 ms during", "p99 ms during",
        "answers during", "not 200", "MB before", "peak MB of the worker", "MB after", "foreign CPU",
    )  # fmt: skip
    rows = [
        (
            number(one.model_mb),
            str(one.reloads),
            *map(number, (one.reload_s, one.offered, one.before_p99_ms, one.during_p50_ms, one.during_p99_ms)),
            f"{one.during_answers:,}",
            _counts(one.problems) or "0",
            *map(number, (one.before_mb, one.peak_mb, one.after_mb)),
            percent(one.foreign),
        )
        for one in found
    ]
    return table(heads, rows)


def _workers_table(found: Sequence[Workers]) -> str:
    heads = (
        "workers, each round", "req/s", "p50 ms", "p99 ms", "cores of the server", "of the generator", "to one worker",
        "foreign CPU",
    )  # fmt: skip
    rows = []
    for one in found:
        columns = (map(median, one.rates), one.p50_ms, one.p99_ms, one.server_cores, one.generator_cores)
        for count, figures in enumerate(zip(*columns, strict=True), 1):
            ratio = _middle(one.ratios) if count > 1 else ""
            rows.append((str(count), *map(number, figures), ratio, percent(one.foreign)))
    return table(heads, rows)


def _soak_parts(soak: Soak) -> Iterator[str]:
    yield _clients_table(soak)
    if soak.stood_still_s is not None:
        yield f"The clients themselves stood still for {number(soak.stood_still_s)} s at most."
    yield _counters_table(soak)
    yield _growth_table(soak)


def _clients_table(soak: Soak) -> str:
    rows = [
        (
            kind,
            f"{soak.sent[kind]:,}",
            ", ".join(f"{n:,} x {status if int(status) else 'none'}" for status, n in sorted(answers.items())),
            soak.undeserved.get(kind, ""),
        )
        for kind, answers in soak.answers.items()
    ]
    return table(("client", "sent", "answers", "undeserved"), rows)


def _counters_table(soak: Soak) -> str:
    rows = [
        (name, f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}", f"{counted:,.0f}")
        for name, (low, high, counted) in soak.counters.items()
    ]
    return table(("counter, by model and outcome", "clients say", "gateway says"), rows)


def _growth_table(soak: Soak) -> str:
    rows = [
        (figure, number(mean), number(slope), number(slope * soak.minutes))
        for figure, (slope, mean) in soak.growth.items()
    ]
    return table(("of the whole tree", "mean", "a minute", f"in {soak.minutes:.3g} minutes"), rows)
