"""Saturation: how full queues, batches, memory and the channels to the watch are."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, lines
from grafana.queries import BY_VERSION, HOST, STREAM, VERSION, latest, mean, quantile, rate

__all__ = ["BOARD"]


def _phases() -> Panels:
    phase = "by (model, variant, phase)"
    return [
        lines(
            "Where the time goes",
            "Mean time of a request in each phase, the run itself apart; overhead is all but waiting and running.",
            "s",
            Query(mean("weir_phase_duration_seconds", phase), "{{model}} {{variant}} {{phase}}"),
            Query(mean("weir_inference_duration_seconds", "by (model, variant)"), "{{model}} {{variant}} inference"),
        ),
        lines(
            "Slowest phases",
            "99th percentile of the time of a request in each phase.",
            "s",
            Query(
                quantile(0.99, "weir_phase_duration_seconds", "by (le, model, variant, phase)"),
                "{{model}} {{variant}} {{phase}}",
            ),
        ),
    ]


def _host() -> Panels:
    role = "by (instance, role)"
    return [
        lines(
            "Processor time",
            "Cores that the processes of each role keep busy.",
            "none",
            Query(rate("weir_process_cpu_seconds_total", role, HOST), "{{instance}} {{role}}"),
        ),
        lines(
            "Memory of processes",
            "Resident memory of the processes of each role; what they share is counted for each.",
            "bytes",
            Query(latest("weir_process_resident_memory_bytes", role, HOST, "sum"), "{{instance}} {{role}}"),
        ),
    ]


def _admission() -> Panels:
    return [
        lines(
            "Requests in flight",
            "Prediction requests being answered now.",
            "none",
            Query(latest("weir_inflight_requests", "by (instance)", HOST, "sum"), "{{instance}}"),
            Query(latest("weir_concurrency_limit", "by (instance)", HOST, "sum"), "{{instance}} limit"),
        ),
        lines(
            "Shed requests",
            "Requests given up before a model saw them, by reason, and those of clients over their quota.",
            "reqps",
            Query(rate("weir_shed_requests_total", "by (reason, priority)", HOST), "{{reason}} {{priority}}"),
            Query(rate("weir_quota_refused_total", "by (instance)", HOST), "{{instance}} over quota"),
        ),
        lines(
            "Overloaded workers",
            "Workers that hold their delay down by shedding.",
            "none",
            Query(latest("weir_shedding_workers", "by (instance)", HOST, "sum"), "{{instance}}"),
        ),
        lines(
            "Event loop lag",
            "Longest lateness of the event loop in each tenth of a second: median and 99th percentile.",
            "s",
            *(
                Query(
                    quantile(q, "weir_event_loop_lag_seconds", "by (le, instance)", HOST),
                    f"{{{{instance}}}} p{q * 100:g}",
                )
                for q in (0.5, 0.99)
            ),
        ),
    ]


def _batches() -> Panels:
    return [
        lines(
            "Queue",
            "Rows waiting for a session run.",
            "none",
            Query(latest("weir_queue_rows", BY_VERSION, over="sum"), VERSION),
        ),
        lines(
            "Batch size",
            "Rows that one session run takes: mean and 95th percentile.",
            "none",
            Query(f"{rate('weir_rows_total')} / {rate('weir_runs_total')}", f"{STREAM} mean"),
            Query(quantile(0.95, "weir_batch_rows", "by (le, model, version)"), f"{VERSION} p95"),
        ),
        lines(
            "Memory of loaded versions",
            "What native code allocated while each version was loaded, at least its weights; all workers together.",
            "bytes",
            Query(latest("weir_model_memory_bytes", BY_VERSION, over="sum"), VERSION),
        ),
    ]


def _channels() -> Panels:
    return [
        lines(
            "Observations",
            "Answered rows by what became of them on the way to the watch, and rows that it summarised.",
            "rowsps",
            Query(rate("weir_monitor_observations_total", "by (model, result)"), "{{model}} {{result}}"),
            Query(rate("weir_monitor_rows_total", "by (model)"), "{{model}} summarised"),
        ),
        lines(
            "Sampled share",
            "Share of the answered rows that the watch sees.",
            "percentunit",
            Query(latest("weir_monitor_sampled_ratio", over="min"), STREAM),
            most=1,
        ),
        lines(
            "Series",
            "Series on the metrics page, how many there may be, and those that page or worker had no room for.",
            "none",
            Query(latest("weir_series", "by (instance)", HOST), "{{instance}}"),
            Query(latest("weir_series_allowed", "by (instance)", HOST), "{{instance}} allowed"),
            Query(latest("weir_series_left_out", "by (instance)", HOST), "{{instance}} left out"),
            Query(latest("weir_series_dropped_total", "by (instance)", HOST), "{{instance}} dropped"),
        ),
    ]


BOARD = Board(
    "saturation",
    "How full queues, batches, memory and the channels to the watch are, and what is given up for want of room.",
    {
        "Admission": _admission(),
        "Phases of a request": _phases(),
        "Queues and batches": _batches(),
        "Host": _host(),
        "Channels and metrics": _channels(),
    },
)
