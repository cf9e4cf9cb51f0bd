"""A report as one HTML file: no script, nothing from elsewhere, readable in a mail, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from gateway.commands.report.gathering import Report
from gateway.commands.report.pictures import (
    draw_effects,
    draw_histograms,
    draw_incidents,
    draw_shares,
)
from gateway.commands.report.style import STYLE

__all__ = ["render_report"]

_MOST_FEATURES, _MOST_HISTOGRAMS, _MOST_CHANGES = 12, 6, 200
_WARN, _PAGE = 0.1, 0.2
_ROLES = ("stable", "canary", "shadow")
_DISTANCES = (
    "<p class=note>Distance in ranks of the reference. The thin mark is what noise explains, the dashed lines are the "
    "default levels.</p>"
)


def render_report(report: Report) -> str:
    """Return the page. Every text that comes from models or people is escaped."""
    sections = (
        ("Traffic", _traffic(report)),
        ("Drift and quality", _drift(report)),
        ("Incidents", _incidents(report)),
        ("Changes", _changes(report)),
        ("Governance", _governance(report)),
    )
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections)
    period = _period(report.begin, report.end)
    title = f"{report.model}: {period}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f"<header><p class=over>Weir report</p><h1>{escape(report.model)}</h1>"
        f"<p>{period} UTC · made {_minute(report.made_at)} from "
        f"{escape(report.gateway)}</p></header>{_cards(report)}{body}</main></body></html>\n"
    )


def _cards(report: Report) -> str:
    requests = sum(one.requests for one in report.traffic)
    failed = sum(one.failed for one in report.traffic)
    slowest = max((one.p99_s for one in report.traffic if one.p99_s is not None), default=None)
    pages = sum(one.severity == "page" for one in report.incidents)
    false = sum(one.is_false for one in report.incidents)
    still_open = sum(one.resolved_at is None for one in report.incidents)
    rolled = sum(one.action.endswith("rollback") or "roll-back" in one.action for one in report.changes)
    cards = (
        (f"{requests:,}", "requests"),
        (f"{failed / requests:.3%}" if requests else "none", "failed"),
        (_ms(slowest), "99 % answered in"),
        (str(pages), f"pages, {false} of them false" if false else "pages"),
        (str(still_open), "incidents still open"),
        (str(rolled), "rollbacks"),
    )
    return f"<ul class=cards>{''.join(f'<li><b>{value}</b><span>{name}</span></li>' for value, name in cards)}</ul>"


def _traffic(report: Report) -> str:
    if not report.traffic:
        return "<p>Nothing was asked of this model.</p>"
    rows = [
        [
            one.version,
            one.variant,
            f"{one.requests:,}",
            f"{one.rows:,}",
            f"{one.failed / one.requests:.3%}",
            f"{one.outcomes.get('client_error', 0):,}",
            _ms(one.mean_s),
            _ms(one.p50_s),
            _ms(one.p99_s),
        ]
        for one in report.traffic
    ]
    total = sum(one.requests for one in report.traffic)
    shares = [(f"{one.version} {one.variant}", one.requests / total, None) for one in report.traffic]
    heads = (
        "Version",
        "Role",
        "Requests",
        "Rows",
        "Failed",
        "Client errors",
        "Mean",
        "Median",
        "99 %",
    )
    note = "Totals since the gateway's counters began, not of the period. Quantiles are read off buckets."
    return f"{draw_shares('Requests by version and role', shares)}{_table(heads, rows)}<p class=note>{note}</p>"


def _drift(report: Report) -> str:
    streams = [one for one in (report.drift or {}).get("streams", ()) if one["features"] or one["predictions"]]
    if not streams:
        return "<p>The watch has judged no rows of this model yet.</p>"
    return "".join(_stream(one) for one in sorted(streams, key=_prominence))


def _prominence(stream: dict[str, Any]) -> int:
    return _ROLES.index(stream["variant"]) if stream["variant"] in _ROLES else len(_ROLES)


def _stream(stream: dict[str, Any]) -> str:
    known = [one for one in stream["features"] if one.get("wasserstein") is not None]
    known.sort(key=lambda one: one["wasserstein"], reverse=True)
    effects = [(one["name"], one["wasserstein"], one.get("wasserstein_noise") or 0.0) for one in known]
    name, judged = (
        escape(stream["version"]),
        f"{escape(stream['variant'])}, {stream['rows']:,} rows judged last",
    )
    parts = [f"<h3>{name} <small>{judged}</small></h3>"]
    if effects:
        title = "Distance of each feature from its reference"
        parts.append(draw_effects(title, effects[:_MOST_FEATURES], _WARN, _PAGE))
        parts.append(_DISTANCES)
    drawn = [one for one in known[:_MOST_HISTOGRAMS] if one.get("reference_counts") and one.get("counts")]
    parts.append(f"<div class=small>{''.join(_histogram(one) for one in drawn)}</div>")
    if drawn:
        parts.append("<p class=note>Bars: the reference. Line: the last window, over the same bins.</p>")
    faults = [one for one in stream["features"] if (one.get("missing") or 0) > 0 or (one.get("unseen") or 0) > 0]
    if faults:
        rows = [
            [
                one["name"],
                _share(one.get("missing")),
                _share(one.get("missing_reference")),
                _share(one.get("unseen")),
            ]
            for one in faults
        ]
        parts.append(
            _table(
                ("Feature", "Missing", "Missing in the reference", "Unseen category"),
                rows,
            )
        )
    if stream["predictions"]:
        shares = [(str(one["class"]), one["share"], one["reference_share"]) for one in stream["predictions"]]
        parts.append(f"<h4>Answers</h4>{draw_shares('Share of each class', shares)}")
        parts.append("<p class=note>The mark is the share in the reference.</p>")
    return "".join([*parts, _confidence(stream)])


def _confidence(stream: dict[str, Any]) -> str:
    confidence, performance = stream.get("confidence"), stream.get("performance")
    facts = []
    if confidence and confidence.get("collapse_index") is not None:
        facts.append(f"Confidence collapse {confidence['collapse_index']:.2f} of 1.")
    estimates = [one for one in (performance or {}).get("estimates", ()) if one.get("accuracy") is not None]
    facts += [f"Accuracy by {one['method']}, without labels: {one['accuracy']:.1%}." for one in estimates]
    return f"<p>{escape(' '.join(facts))}</p>" if facts else ""


def _histogram(feature: dict[str, Any]) -> str:
    name = str(feature["name"])
    picture = draw_histograms(name, feature["reference_counts"], feature["counts"])
    return f"<figure>{picture}<figcaption>{escape(name)}</figcaption></figure>"


def _incidents(report: Report) -> str:
    if not report.incidents:
        return "<p>None in this period.</p>"
    rows = [
        [
            _minute(datetime.fromtimestamp(one.since, UTC)),
            "open" if one.resolved_at is None else _minute(datetime.fromtimestamp(one.resolved_at, UTC)),
            one.severity + (", marked false" if one.is_false else ""),
            one.version,
            one.cause,
            one.summary,
        ]
        for one in report.incidents
    ]
    picture = draw_incidents("Incidents over the period", report.incidents, report.begin, report.end)
    return picture + _table(("Since", "Until", "Severity", "Version", "Cause", "What"), rows)


def _changes(report: Report) -> str:
    if not report.changes:
        return "<p>None in this period.</p>"
    rows = [[_minute(_time(one.time)), one.actor, one.action, one.resource, one.reason] for one in report.changes]
    table = _table(("When", "Who", "What", "Of what", "Why"), rows[-_MOST_CHANGES:])
    left_out = len(rows) - _MOST_CHANGES
    return table + (f"<p class=note>{left_out} older ones are left out; --json has all.</p>" if left_out > 0 else "")


def _governance(report: Report) -> str:
    rows = [[one.version, one.role, one.digest, ", ".join(one.states)] for one in report.versions]
    table = _table(("Version", "Role", "Digest", "Processes"), rows)
    route = report.route or {}
    stop = route.get("stop")
    state = f"Stopped by {stop['by']}: {stop['reason']}." if stop else "In force."
    facts = f"Route revision {route.get('revision', 'none')}. {state} Budget: {_budget(report)}"
    head = f"The audit log has {report.audit_records:,} records; the last has the hash"
    return f"<p>{escape(facts)}</p>{table}<p class=note>{head} <code>{escape(report.audit_head)}</code>.</p>"


def _budget(report: Report) -> str:
    budget = (report.drift or {}).get("budget")
    if not budget:
        return "not known."
    allowed = "no promise" if budget.get("allowed") is None else f"{budget['allowed']:g} allowed"
    return f"{budget['false_pages']} false pages of {budget['pages']} in four weeks, {allowed}."


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _ms(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds * 1e3:.3g} ms"


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2%}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _period(begin: datetime, end: datetime) -> str:
    """Return a period by its days, or to the minute where they are the same.

    >>> _period(datetime(2026, 11, 1, 7, 30), datetime(2026, 11, 1, 9))
    '2026-11-01 07:30 to 09:00'
    """
    if begin.date() == end.date():
        return f"{_minute(begin)} to {end:%H:%M}"
    return f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
