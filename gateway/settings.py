"""Settings: ``weir.yaml``, then ``WEIR_*`` variables, then flags of the command, into one frozen value.

Every field below is documented in ``docs/configuration.md``; a test fails when one is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["LimitSettings", "MonitorSettings", "RoutingSettings", "ServingSettings", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What one request may cost."""

    body_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    depth: int = 32
    queue_rows: int = 20_000
    request_timeout_s: float = 30.0
    read_timeout_s: float = 60.0
    unknown_features: Literal["reject", "ignore"] = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """How versions are kept and run."""

    resident_versions: int = 4
    on_loop_ms: float = 0.5
    max_batch_rows: int = 128
    canary_slice_ms: float = 250.0
    canary_strikes: int = 3
    external_data_bytes: int = 8 * 1024 * 1024 * 1024
    refresh_ms: int = 200
    scan_s: float = 5.0
    drain_s: float = 20.0
    hang_s: float = 10.0
    fast_path: bool = True
    load_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Which model answers without a name, and what makes a caller stick to a version."""

    default_model: str | None = None
    key_header: str = "x-route-key"
    key_feature: str | None = None
    stable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """What the watch sees and when it speaks."""

    tick_s: float = 10.0
    rows_per_s: int = 2_000
    window_ticks: int = 6
    minimum_rows: int = 200
    drift_warn: float = 0.10
    drift_page: float = 0.20
    missing_warn: float = 0.02
    missing_page: float = 0.10
    collapse_warn: float = 0.30
    collapse_page: float = 0.60
    prediction_warn: float = 0.10
    prediction_page: float = 0.25
    clear_ticks: int = 3
    silence_s: float = 600.0
    feature_series: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process tree needs to know."""

    models: Path = Path("models")
    host: str = "127.0.0.1"
    port: int = 8080
    admin_host: str | None = None
    admin_port: int | None = None
    workers: int = 1
    state: Path = Path("weir.db")
    admin_token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = False
    limits: LimitSettings = LimitSettings()
    serving: ServingSettings = ServingSettings()
    routing: RoutingSettings = RoutingSettings()
    monitor: MonitorSettings = MonitorSettings()
