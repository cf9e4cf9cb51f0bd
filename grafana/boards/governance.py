"""Governance: which versions answer, who is kept out, and whether the promise about false pages holds."""

from __future__ import annotations

from grafana.board import Board, Panels
from grafana.panels import Query, lines, listing
from grafana.queries import HOST, MODEL, VERSION, latest, rate

__all__ = ["BOARD"]


def _serving() -> Panels:
    return [
        listing(
            "Loaded versions",
            "Versions that are loaded, with their digests.",
            Query(f"max by (model, version, digest) (weir_model_info{{{MODEL}}})", VERSION),
        ),
        lines(
            "Stopped models",
            "Models that operators have put into their safe state.",
            "bool_yes_no",
            Query(latest("weir_model_stopped", "by (model)"), "{{model}}"),
        ),
        lines(
            "Broken glass",
            "Break-glass grants: in force, and over without a review.",
            "none",
            Query(latest("weir_break_glass_grants", "by (model, state)"), "{{model}} {{state}}"),
        ),
    ]


def _audit() -> Panels:
    return [
        lines(
            "Audit log",
            "Records in the audit log. It only grows: a fall is a store that was replaced.",
            "none",
            Query(latest("weir_audit_records_total", "by (instance)", HOST), "{{instance}}"),
        ),
        lines(
            "Age of the audit checkpoint",
            "Time since the newest signed checkpoint of the audit log: what was written since is not covered. And for "
            "how long one has been due.",
            "s",
            Query(
                f"time() - {latest('weir_audit_checkpoint_timestamp_seconds', 'by (instance)', HOST)}", "{{instance}}"
            ),
            Query(latest("weir_audit_checkpoint_overdue_seconds", "by (instance)", HOST), "{{instance}} overdue"),
        ),
    ]


def _promises() -> Panels:
    return [
        lines(
            "False pages",
            "Pages of the last four weeks, those marked false, and how many false ones the budget allows.",
            "none",
            Query(latest("weir_pages", "by (model)"), "{{model}} pages"),
            Query(latest("weir_false_pages", "by (model)"), "{{model}} false"),
            Query(latest("weir_false_pages_allowed", "by (model)"), "{{model}} allowed"),
        ),
        lines(
            "Refused sign-ins",
            "Requests with a wrong admin token; throttled are those beyond what an address has free.",
            "reqps",
            Query(rate("weir_sign_ins_refused_total", "by (reason)", HOST), "{{reason}}"),
        ),
    ]


BOARD = Board(
    "governance",
    "Which versions answer, who is kept out, and whether the promise about false pages holds.",
    {"Serving": _serving(), "Audit": _audit(), "Promises and access": _promises()},
    period="now-7d",
)
