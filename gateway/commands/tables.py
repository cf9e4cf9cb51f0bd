"""Documents of the admin API as tables that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.commands.printable import printable

__all__ = [
    "blocks",
    "line",
    "show_acknowledgement",
    "show_alerts",
    "show_audit",
    "show_baseline",
    "show_drift",
    "show_json",
    "show_progress",
    "show_residency",
    "show_route",
    "show_tokens",
    "table",
]

Document = Mapping[str, Any]
_LATEST = 3


def show_json(document: Any) -> None:
    """Print a document as it came, indented; what is not ASCII is escaped, for it may be a control of the terminal."""
    print(json.dumps(document, indent=2))


def show_route(route: Document) -> None:
    """Print who gets which share."""
    rows = [("stable", route["stable"], _percent(route["stable_weight"]))]
    if canary := route["canary"]:
        rows.append(("canary", canary["version"], _percent(canary["weight"])))
    rows += [("shadow", shadow["version"], f"{_percent(shadow['sample'])} sampled") for shadow in route["shadow"]]
    if route["previous_stable"]:
        rows.append(("previous stable", route["previous_stable"], "on rollback"))
    if stop := route["stop"]:
        does = "answers everything" if stop["version"] else "everything is refused"
        if stop.get("answer") is not None:
            does = f"is not asked; every row is answered {json.dumps(stop['answer'])}"
        rows.insert(0, ("STOPPED", stop["version"] or "-", does))
    table(f"{route['model']}, revision {route['revision']}", ("role", "version", "traffic"), rows)
    line(f"{route['updated_at']} {route['updated_by']}: {route['reason']}")


def show_tokens(found: Document) -> None:
    """Print who may do what, until when."""
    rows = [
        (
            token["id"],
            token["name"],
            token["role"],
            token["created_at"],
            token["created_by"],
            f"{token['expires_at'] or 'never'}{' (expired)' if token['is_expired'] else ''}",
        )
        for token in found["tokens"]
    ]
    table("tokens", ("id", "name", "role", "made at", "by", "expires at"), rows)


def show_progress(progress: Document) -> None:
    """Print how far loading is."""
    rows = [(worker, status["state"], status["why"]) for worker, status in progress["workers"].items()]
    title = f"{progress['model']} version {progress['version']}: {progress['state']}"
    table(title, ("worker", "state", "why"), rows)


def show_residency(residency: Document) -> None:
    """Print what operators asked to have loaded and unloaded."""
    rows = [(word, ", ".join(residency[word]) or "-") for word in ("pinned", "unloaded")]
    table(residency["model"], ("wish", "versions"), rows)


def show_baseline(baseline: Document, *, fate: str = "") -> None:
    """Print which traffic is normal, and what its replays foretell; ``fate`` says what has become of it."""
    span = f", {baseline['begin'][:19]} to {baseline['end'][:19]}" if baseline["begin"] else ""
    promise = baseline["pages_per_week"]
    rows = [
        ("version", f"{baseline['version']}, {baseline['digest']}"),
        ("rows", f"{baseline['rows']:,} of {baseline['source']}{span}"),
        ("promise of replays", "not said" if promise is None else f"{promise:g} false pages a week"),
        ("false pages foretold", f"{baseline['predicted']:.2g} for each one allowed, at most {baseline['upper']:.2g}"),
        ("thresholds", "as they are" if baseline["factor"] == 1.0 else f"{baseline['factor']:.3g} times as high"),
        ("accepted", f"{baseline['accepted_at']} by {baseline['accepted_by']}: {baseline['reason']}"),
    ]
    table(f"{baseline['model']}, baseline, revision {baseline['revision']}{fate}", ("what", "value"), rows)


def show_drift(report: Document) -> None:
    """Print what moved, one table a stream, the features that moved most first."""
    for stream in report["streams"]:
        features = sorted(stream["features"], key=lambda feature: feature["psi"] or 0.0, reverse=True)
        rows = [
            (
                feature["name"],
                *(_beside_band(feature, name) for name in ("psi", "jensen_shannon", "ks")),
                _number(feature["wasserstein"]),
                *(_share(feature[name]) for name in ("missing", "unseen")),
            )
            for feature in features
        ]
        title = f"{report['model']} version {stream['version']} ({stream['variant']}), {stream['rows']} rows"
        table(title, ("feature", "PSI", "JS", "KS", "Wasserstein", "missing", "unseen"), rows)
        _show_window(stream, report["as_of"])
        if confidence := stream["confidence"]:
            line(f"collapse index {_number(confidence['collapse_index'])}")
        if performance := stream["performance"]:
            _show_performance(performance)
        if segments := stream["segments"]:
            _show_segments(segments)
        _show_detectors(stream["detectors"])
    if not report["streams"]:
        line("nothing observed yet")
    _show_budget(report["budget"])


def show_alerts(document: Document) -> None:
    """Print alerts with what moved, several lines each: what there is to say does not fit on one."""
    rows = [
        (
            (alert["severity"], alert["state"], alert["id"]),
            (
                f"{alert['cause']} on {alert['model']}/{alert['version']}, {alert['variant']}",
                alert["summary"],
                f"since {_time(alert['since'])}, by {_calibrated(alert)}",
                *_said(alert),
            ),
        )
        for alert in document["alerts"]
    ]
    if rows:
        blocks("alerts", ("alert", "what moved"), rows)
    else:
        line("no alerts")


def show_acknowledgement(said: Document) -> None:
    """Print who is at an alert."""
    line(f"{said['alert_id']} is acknowledged by {said['by']}" + (f": {said['reason']}" if said["reason"] else ""))


def show_page(page: Document) -> None:
    """Print what is kept of a page."""
    said = f"marked false by {page['marked_by']}" if page["is_false"] else "not marked"
    line(f"{page['alert_id']} of {_time(page['paged_at'])}, {page['cause']} on {page['model']}: {said}")


def show_audit(document: Document) -> None:
    """Print who changed what, and why."""
    rows = [
        (
            (str(record["sequence"]),),
            (f"{record['time'][:19]}Z", record["actor"]["subject"]),
            (f"{record['action']} {record['resource']}", record["reason"]),
        )
        for record in document["records"]
    ]
    blocks("audit", ("#", "when, who", "what, why"), rows)


def _said(alert: Document) -> Iterator[str]:
    """Give what operators have said of an alert."""
    if seen := alert.get("acknowledged"):
        yield f"acknowledged by {seen['by']}" + (f": {seen['reason']}" if seen["reason"] else "")
    if alert.get("is_false"):
        yield "marked false"


def _calibrated(alert: Document) -> str:
    """Return what stands behind an alert, with its evidence where there is any."""
    if alert["evidence"] is None:
        return str(alert["calibration"])
    return f"{alert['calibration']}, {alert['evidence']:.1f} of {alert['evidence_threshold']:.1f} nats"


def _show_budget(budget: Document) -> None:
    line(
        f"budget: {budget['budget']}; in the last four weeks {budget['pages']} pages, "
        f"{budget['false_pages']} of them marked false"
    )


def _show_window(stream: Document, as_of: float) -> None:
    """Print of when the judged rows are, with the day where that is not today, and what came since."""
    if stream["window_to"] is None:
        return
    begin, end = (_time(stream[name]).removesuffix("Z") for name in ("window_from", "window_to"))
    today = f"{datetime.now(UTC):%Y-%m-%d} "
    line(f"rows of {begin.removeprefix(today)} to {end.removeprefix(begin[: len(today)])} UTC")
    if stream["rows_since"] and stream["window_to"] < as_of:
        line(f"{stream['rows_since']} rows came since: too few, so far, to judge again")


def _show_segments(segments: Document) -> None:
    """Print each segment against its own rows of the reference: its share, and what moved most in it."""
    rows = []
    for segment in segments["values"]:
        words = [f"{m['name']} {m['before']} -> {m['after']}" for m in segment["moved"][:_LATEST]]
        shares = (_share(segment["share"]), _share(segment["reference_share"]))
        rows.append((segment["name"], str(segment["rows"]), *shares, "; ".join(words) or "nothing"))
    columns = ("segment", "rows", "share", "reference", "moved beyond noise")
    table(f"segments by {segments['feature']}", columns, rows)


def _show_performance(performance: Document) -> None:
    """Print what is estimated of the accuracy, where anything is."""
    told = [e for e in performance["estimates"] if e["accuracy"] is not None]
    if told:
        words = ", ".join(f"{e['method'].upper()} {_number(e['accuracy'])}" for e in told)
        line(f"accuracy {_number(performance['reference_accuracy'])} on the reference; estimated now: {words}")


def _show_detectors(detectors: Iterable[Document]) -> None:
    """Print what uncalibrated detectors say, a line each."""
    for found in detectors:
        spoke = [s for s in found["signals"] if s["detections"]]
        latest = sorted(spoke, key=lambda signal: signal["detected_at"], reverse=True)[:_LATEST]
        words = [f"{s['signal']} {s['detections']}x, last {_time(s['detected_at'])}" for s in latest]
        more = f" and {len(spoke) - len(latest)} more" if len(spoke) > len(latest) else ""
        state = "; ".join(words) + more if words else "nothing detected" if found["is_warm"] else "not warm yet"
        line(f"{found['name']} (uncalibrated): {found['failed'] or state}")


def _beside_band(feature: Document, name: str) -> str:
    """Return a distance, and in brackets what it stays below on unchanged data."""
    value = feature[name]
    return "-" if value is None else f"{_number(value)} ({_number(feature[f'{name}_band'])})"


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table of foreign text."""
    blocks(title, columns, ([[cell] for cell in row] for row in rows), show_lines=False)


def blocks(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[Iterable[str]]], *, show_lines: bool = True
) -> None:
    """Print a table of foreign text whose cells have several lines."""
    drawn = Table(title=_as_text(title), title_justify="left", show_lines=show_lines)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*("\n".join(map(_as_text, cell)) for cell in row))
    Console().print(drawn)


def line(text: str) -> None:
    """Print a line of foreign text."""
    Console().print(_as_text(text), highlight=False)


def _as_text(foreign: str) -> str:
    return escape(printable(foreign))


def _percent(value: float) -> str:
    return f"{value:.2f} %"


def _share(value: float | None) -> str:
    return "-" if value is None else _percent(100 * value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
