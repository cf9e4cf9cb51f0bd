"""Settings: ``weir.yaml``, then ``WEIR_*`` variables, then flags of the command, into one frozen value.

Every field below is documented in ``docs/configuration.md``; a test fails when one is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.types import Role

__all__ = [
    "AdmissionSettings",
    "AuditSettings",
    "AuthSettings",
    "BudgetSettings",
    "GovernanceSettings",
    "LimitSettings",
    "MonitorSettings",
    "OidcSettings",
    "PredictionLogSettings",
    "RedisSettings",
    "RoutingSettings",
    "ServingSettings",
    "Settings",
    "SigningSettings",
    "TracingSettings",
]

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""How an issuer may sign: by a key pair only, so that what the gateway knows of it makes no token."""


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
class AdmissionSettings:
    """Who may ask how much, and what happens when more is asked than can be answered."""

    latency_target_ms: float = 100.0
    max_in_flight: int = 4_096
    api_key_header: str = "x-api-key"
    unlisted_keys: Literal["accept", "ignore"] = "accept"
    trusted_proxies: tuple[str, ...] = ()
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    quota_requests_per_s: float = 0.0
    quota_burst: int = 100
    quota_clients: int = 10_000
    quota_overrides: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """How versions are kept and run."""

    resident_versions: int = 4
    on_loop_ms: float = 0.5
    alone_on_loop_ms: float = 5.0
    max_batch_rows: int = 0
    batch_latency_ms: float = 0.0
    canary_slice_ms: float = 250.0
    canary_strikes: int = 3
    external_data_bytes: int = 8 * 1024 * 1024 * 1024
    refresh_ms: int = 200
    scan_s: float = 5.0
    drain_s: float = 20.0
    hang_s: float = 10.0
    fast_path: bool = True
    load_s: float = 60.0
    threads: int = 0
    memory_budget_mb: int = 0
    idle_ttl_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Which model answers without a name, and what makes a caller stick to a version."""

    default_model: str | None = None
    key_header: str = "x-route-key"
    key_feature: str | None = None
    stable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """How many false pages a model may cause."""

    pages_per_week: float = 1.0
    promise: Literal["mean", "p95", "none95"] = "mean"
    rows_between_false_pages: float | None = None
    overrides: dict[str, float] = field(default_factory=dict)


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
    tolerance: float = 0.02
    missing_tolerance: float = 0.01
    clear_ticks: int = 3
    minimum_firing_s: float = 600.0
    burn_in_s: float = 60.0
    page_on: Literal["profile", "baseline"] = "baseline"
    budget: BudgetSettings = BudgetSettings()
    silence_s: float = 600.0
    no_traffic_s: dict[str, float] = field(default_factory=dict)
    feature_series: int = 64
    detectors: tuple[str, ...] = ()
    model_detectors: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """How a state store in Redis is used; of no meaning where ``state`` is a file."""

    namespace: str = "weir"
    folder: Path = Path(".")
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionLogSettings:
    """What is kept of requests and their answers; nothing without a path."""

    path: Path | None = None
    redact: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    file_mb: int = 64
    rotate_s: float = 3_600.0
    compress: Literal["gzip", "none"] = "gzip"
    keep_mb: int = 1_024
    keep_days: float = 7.0
    failures_per_s: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """How large the metrics page may become."""

    series: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Whose tokens open the admin API besides the gateway's own; nobody's without an issuer."""

    issuer: str | None = None
    audience: str | None = None
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256")
    subject_claim: str = "sub"
    roles_claim: str = "roles"
    roles: dict[str, Role] = field(default_factory=dict)
    leeway_s: float = 30.0
    refresh_s: float = 300.0
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Who is let in besides those who have a token of the gateway's own."""

    oidc: OidcSettings = OidcSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernanceSettings:
    """What versions must have before they take live traffic; nothing without a policy."""

    policy: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSettings:
    """Where spans of requests are sent to; nowhere without an endpoint."""

    endpoint: str | None = None
    sample_ratio: float = 0.01
    service_name: str = "weir"
    headers_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Where the gateway writes checkpoints of its audit log, by which key, how often; none without a folder."""

    checkpoints: Path | None = None
    checkpoint_key: Path | None = None
    checkpoint_s: float = 60.0
    checkpoint_records: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """Whose signatures count under bundles; without a key, signatures are not looked at."""

    public_keys: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process tree needs to know."""

    models: Path = Path("models")
    host: str = "127.0.0.1"
    port: int = 8080
    admin_host: str | None = None
    admin_port: int | None = None
    grpc_port: int | None = None
    workers: int = 1
    state: str = "weir.db"
    admin_token_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = False
    redis: RedisSettings = RedisSettings()
    limits: LimitSettings = LimitSettings()
    admission: AdmissionSettings = AdmissionSettings()
    serving: ServingSettings = ServingSettings()
    routing: RoutingSettings = RoutingSettings()
    monitor: MonitorSettings = MonitorSettings()
    prediction_log: PredictionLogSettings = PredictionLogSettings()
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
    auth: AuthSettings = AuthSettings()
    governance: GovernanceSettings = GovernanceSettings()
    signing: SigningSettings = SigningSettings()
    audit: AuditSettings = AuditSettings()
