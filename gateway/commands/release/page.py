"""A release report as one HTML file: no script, nothing from elsewhere, readable in a mail, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

from gateway.commands.release.pictures import draw_bars, draw_intervals, draw_reliability
from gateway.commands.report.style import STYLE
from gateway.release.document import GateResult, ReleaseReport

__all__ = ["render_release"]

_MOST_ROWS: Final = 40
_WORDS: Final = {"pass": "passed", "fail": "failed", "skipped": "skipped"}
_MORE: Final = """
.pass{color:var(--calm)}.fail{color:var(--bad)}.skipped{color:var(--soft)}
.cards b span{color:inherit;font-size:inherit}.cards .pass{color:var(--calm)}.cards .fail{color:var(--bad)}
.gate{white-space:nowrap;overflow-wrap:normal}
"""


def render_release(report: ReleaseReport, sha256: str) -> str:
    """Return the page. Every text that comes from models, tables or people is escaped.

    Parameters
    ----------
    sha256
        Of ``report.json``, which the page shows.
    """
    title = f"{report.model} version {report.version}: release check {_WORDS[report.outcome]}"
    sections = "".join(map(_section, report.gates))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}{_MORE}</style></head><body><main>"
        f"<header><p class=over>Weir release check</p><h1>{escape(report.model)} {escape(report.version)}</h1>"
        f"<p>Checked {escape(report.checked_at)} · risk tier {escape(report.tier)}</p></header>"
        f"{_cards(report)}<section><h2>Gates</h2>{_overview(report.gates)}</section>{sections}"
        f"<section><h2>What this is bound to</h2>{_bound(report, sha256)}</section></main></body></html>\n"
    )


def _cards(report: ReleaseReport) -> str:
    outcomes = [gate.outcome for gate in report.gates]
    cards = (
        (f"<span class={report.outcome}>{_WORDS[report.outcome]}</span>", "release check"),
        (str(outcomes.count("pass")), "gates passed"),
        (str(outcomes.count("fail")), "gates failed"),
        (str(outcomes.count("skipped")), "gates skipped"),
        (f"{report.holdout.rows:,}", "holdout rows"),
    )
    return f"<ul class=cards>{''.join(f'<li><b>{value}</b><span>{name}</span></li>' for value, name in cards)}</ul>"


def _overview(gates: Sequence[GateResult]) -> str:
    rows = "".join(
        f"<tr><td class=gate>{escape(gate.name)}</td><td class={gate.outcome}>{_WORDS[gate.outcome]}</td>"
        f"<td>{escape(gate.detail)}</td></tr>"
        for gate in gates
    )
    return (
        f"<div class=wide><table><thead><tr><th>Gate<th>Outcome<th>Why</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _section(gate: GateResult) -> str:
    draw = _SHOWN.get(gate.name)
    shown = draw(gate.numbers) if draw and gate.numbers else ""
    return f"<section><h2>{escape(gate.name.capitalize())}</h2>{shown}</section>" if shown else ""


def _metrics(numbers: Mapping[str, Any]) -> str:
    return _table(("Metric", "On the holdout"), [(name, f"{value:.5g}") for name, value in numbers.items()])


def _benchmark(numbers: Mapping[str, Any]) -> str:
    metrics = numbers["metrics"]
    rows = [
        (name, one["low"], one["better_by"], one["high"], one["margin"], one["low"] < -one["margin"])
        for name, one in metrics.items()
    ]
    note = (
        "<p class=note>How much better the candidate is than the version that serves, with the "
        f"{numbers['confidence']:.0%} interval of the paired bootstrap. The line is no difference, the dashed mark "
        "what may be lost at most; each metric has a scale of its own.</p>"
    )
    heads = ("Metric", "Candidate", "Serving", "Better by", "At least", "At most", "Margin")
    keys = ("candidate", "serving", "better_by", "low", "high", "margin")
    table = _table(heads, [(name, *(f"{one[key]:.5g}" for key in keys)) for name, one in metrics.items()])
    return draw_intervals("Candidate against the serving version", rows) + note + table


def _slices(numbers: Mapping[str, Any]) -> str:
    found = sorted(numbers["slices"], key=lambda one: one["value"])[:_MOST_ROWS]
    rows = [(f"{one['column']} {one['slice']}", one["better_by"], one) for one in found if "better_by" in one]
    heads = ("Column", "Slice", "Rows", "Value", "Behind all", "Better than serving by")
    table = _table(
        heads,
        [
            (
                one["column"],
                one["slice"],
                f"{one['rows']:,}",
                f"{one['value']:.4g}",
                f"{one['behind']:.4g}",
                f"{one['better_by']:+.4g} ({one['low']:+.3g} to {one['high']:+.3g})" if "better_by" in one else "none",
            )
            for one in found
        ],
    )
    note = f"<p class=note>{escape(str(numbers['measure']))}; all rows together: {numbers['overall']:.4g}.</p>"
    if not rows:
        return note + table
    drawn = [(name, one["low"], middle, one["high"], None, one["high"] < 0) for name, middle, one in rows]
    return draw_intervals("Slices against the serving version", drawn) + note + table


def _fairness(numbers: Mapping[str, Any]) -> str:
    shown = []
    for column, told in numbers["columns"].items():
        if "groups" not in told:
            continue
        bars = [(name, rates["selection_rate"] or 0.0, False) for name, rates in told["groups"].items()]
        names = ("demographic_parity_difference", "equalised_odds_difference", "disparate_impact_ratio")
        keys = ("rows", "selection_rate", "true_positive_rate", "false_positive_rate")
        rows = [(name, *(_number(rates[key]) for key in keys)) for name, rates in told["groups"].items()]
        shown.append(
            f"<h3>{escape(column)}</h3>{draw_bars(f'Selection rate by {column}', bars)}"
            f"{_table(('Group', 'Rows', 'Selected', 'True positives', 'False positives'), rows)}"
            f"{_table(('Measure', 'Value'), [(name, _number(told[name])) for name in names])}"
        )
    note = f"<p class=note>Selected are those who are answered {escape(str(numbers.get('favourable', '')))}.</p>"
    return note + "".join(shown) if shown else ""


def _calibration(numbers: Mapping[str, Any]) -> str:
    told = [(name, _number(numbers.get(name))) for name in ("ece", "brier", "serving_ece") if name in numbers]
    note = "<p class=note>Confidence of the answered class against how often it is right; a dot's area is its rows.</p>"
    return draw_reliability("Reliability", numbers["bins"]) + note + _table(("Measure", "Value"), told)


def _robustness(numbers: Mapping[str, Any]) -> str:
    without = sorted(numbers["without"].items(), key=lambda one: one[1] if one[1] is not None else -1.0)[:_MOST_ROWS]
    rows = [("no value missing", numbers["whole"]), (f"{numbers['share']:.0%} of values missing", numbers["missing"])]
    rows += [(f"{name} missing everywhere", value) for name, value in without]
    return _table(("Rows", str(numbers["metric"])), [(name, _number(value)) for name, value in rows])


def _attribution(numbers: Mapping[str, Any]) -> str:
    rows = [(one["feature"], one["importance"], False) for one in numbers["features"][:_MOST_ROWS]]
    note = (
        f"<p class=note>By how much {escape(str(numbers['score']))} falls when a feature's column is permuted, "
        f"{numbers['repeats']} times over {numbers['rows']:,} rows.</p>"
    )
    return draw_bars("Permutation importance", rows) + note


def _flat(numbers: Mapping[str, Any]) -> str:
    return _table(("Measured", "Value"), [(name, _number(value)) for name, value in numbers.items()])


def _bound(report: ReleaseReport, sha256: str) -> str:
    against = report.against
    rows = [
        ("candidate", report.digest),
        ("compared with", f"version {against.version}, {against.digest}" if against else "nothing"),
        ("holdout", f"{report.holdout.name}, {report.holdout.digest}"),
        ("policy", report.policy_digest),
        ("report.json", f"SHA-256 {sha256}"),
        ("seed", str(report.seed)),
        *((str(name), str(value)) for name, value in report.machine.items()),
    ]
    return _table(("What", "Which"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _number(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


_SHOWN: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "sanity": _flat,
    "budget": _flat,
    "metrics": _metrics,
    "benchmark": _benchmark,
    "slices": _slices,
    "fairness": _fairness,
    "calibration": _calibration,
    "robustness": _robustness,
    "attribution": _attribution,
}
