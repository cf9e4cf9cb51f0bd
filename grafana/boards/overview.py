"""Overview: whether the service level holds, and rate, errors and duration of the requests."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, lines, numbers, states
from grafana.queries import BY_VERSION, HOST, MODEL, STREAM, VERSION, latest, quantile, rate

__all__ = ["BOARD"]

_BUDGET = 0.001
"""Share of the requests that may fail: the objective is 99.9 %, as in the alert rules."""


def _service_level() -> Panels:
    failed = f'sum by (model) (increase(weir_requests_total{{{MODEL},outcome=~"server_error|timeout|shed"}}[28d]))'
    total = f"sum by (model) (increase(weir_requests_total{{{MODEL}}}[28d]))"
    recorded = 'model:weir_requests_failed:ratio_rate{window}{{model=~"$model"}}'
    return [
        numbers(
            "Error budget left",
            "Share of four weeks' error budget that is left at an objective of 99.9 %; negative where overspent.",
            "percentunit",
            Query(f"1 - ({failed} or 0 * {total}) / {total} / {_BUDGET}", "{{model}}"),
            good_from=0.0,
        ),
        lines(
            "Burn rate",
            "How many times faster than allowed the budget is used, over the windows of the alerts, which page at 14.4 "
            "over an hour and five minutes, and at 6 over six hours and half an hour. Over all instances.",
            "none",
            *(
                Query(f"{recorded.format(window=window)} / {_BUDGET}", f"{{{{model}}}} {window}")
                for window in ("5m", "30m", "1h", "6h")
            ),
        ),
        lines(
            "Slow requests",
            "Share of the requests that take longer than 250 ms, over five minutes. Over all instances.",
            "percentunit",
            Query('model:weir_requests_slow:ratio_rate5m{model=~"$model"}', "{{model}}"),
        ),
    ]


def _requests() -> Panels:
    total = rate("weir_requests_total")
    failed = rate("weir_requests_total", matchers=f'{MODEL},outcome=~"server_error|timeout|shed"')
    latency = "weir_request_duration_seconds"
    return [
        lines("Requests", "Prediction requests by the version that answered.", "reqps", Query(total, STREAM)),
        lines(
            "Failed requests",
            "Share of the requests that ended in a server error, a timeout or were shed.",
            "percentunit",
            Query(f"({failed} or 0 * {total}) / {total}", STREAM),
        ),
        lines(
            "Outcomes",
            "Prediction requests by outcome.",
            "reqps",
            Query(rate("weir_requests_total", "by (model, outcome)"), "{{model}} {{outcome}}"),
        ),
        lines(
            "Latency",
            "Time from the first byte of a request to its answer: median, 95th and 99th percentile.",
            "s",
            *(Query(quantile(q, latency), f"{STREAM} p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
        ),
        lines(
            "Inference time",
            "Time of one session run: median and 99th percentile.",
            "s",
            *(Query(quantile(q, "weir_inference_duration_seconds"), f"{STREAM} p{q * 100:g}") for q in (0.5, 0.99)),
        ),
        lines(
            "HTTP and gRPC",
            "All requests and RPCs, those of probes and operators included.",
            "reqps",
            Query(rate("weir_http_requests_total", "by (route, status)", HOST), "{{route}} {{status}}"),
            Query(rate("weir_grpc_requests_total", "by (method, code)", HOST), "{{method}} {{code}}"),
        ),
    ]


def _delivery() -> Panels:
    return [
        lines(
            "Traffic weights",
            "Share of the traffic that the route gives to each version; of a shadow, the share it repeats.",
            "percentunit",
            Query(latest("weir_variant_weight_ratio"), STREAM),
            most=1,
        ),
        lines(
            "Canary fallback",
            "Requests for the canary that stable had to answer. Clients saw no error.",
            "reqps",
            Query(rate("weir_canary_fallback_total", "by (model, version, reason)"), f"{VERSION} {{{{reason}}}}"),
        ),
        lines(
            "Tripped canaries",
            "Workers that have taken the canary out by what it failed.",
            "none",
            Query(latest("weir_canary_tripped", BY_VERSION, over="sum"), VERSION),
        ),
        lines(
            "Shadow requests",
            "Answered requests repeated on a shadow version, by result.",
            "reqps",
            Query(rate("weir_shadow_requests_total", "by (model, version, result)"), f"{VERSION} {{{{result}}}}"),
        ),
        lines(
            "Shadow agreement",
            "Share of the rows on which the shadow gave the client's answer, and the mean distance of the scores.",
            "percentunit",
            Query(latest("weir_shadow_agreement_ratio", BY_VERSION, over="min"), f"{VERSION} agreement"),
            Query(latest("weir_shadow_score_difference", BY_VERSION), f"{VERSION} score difference"),
        ),
    ]


def _alerts() -> Panels:
    return [
        states(
            "Alerts",
            "State of the alerts by cause and severity: green none is open, yellow warn or recovering, red firing.",
            "none",
            Query(
                latest("weir_alert_state", "by (model, version, cause, severity)"),
                f"{VERSION} {{{{cause}}}} {{{{severity}}}}",
            ),
            warn=1,
            page=3,
        ),
    ]


BOARD = Board(
    "overview",
    "Whether the service level holds, and rate, errors and duration of the requests by model.",
    {
        "Service level": _service_level(),
        "Requests": _requests(),
        "Delivery": _delivery(),
        "Alerts of the monitors": _alerts(),
    },
)
