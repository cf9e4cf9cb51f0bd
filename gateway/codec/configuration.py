"""Settings from ``weir.yaml`` and ``WEIR_*`` variables, and their way through the run directory's ``settings.json``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from ipaddress import ip_network
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gateway.access.issuer import issuer_fault
from gateway.codec.documents import decode_document, encode_document, read_document
from gateway.codec.plain_yaml import YamlRefused, parse_yaml
from gateway.codec.strict import exact
from gateway.errors import DocumentInvalid, Fault
from gateway.settings import Settings
from gateway.state.address import address_fault, is_redis
from gateway.tracing.destination import endpoint_fault

__all__ = ["RANGES", "check_settings", "decode_settings", "encode_settings", "load_settings"]

PREFIX = "WEIR_"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DETECTOR_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SERVICE_NAME = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "admin_port": (0, 65_535),
    "grpc_port": (0, 65_535),
    "workers": (1, 256),
    "redis/timeout_s": (0.05, 30),
    "limits/body_bytes": (1, 2**40),
    "limits/rows": (1, 2**31),
    "limits/depth": (1, 512),
    "limits/queue_rows": (1, 2**31),
    "limits/request_timeout_s": (0.001, 3_600),
    "limits/read_timeout_s": (0.1, 3_600),
    "admission/latency_target_ms": (1, 60_000),
    "admission/max_in_flight": (1, 1_000_000),
    "admission/quota_requests_per_s": (0, 1_000_000),
    "admission/quota_burst": (1, 1_000_000),
    "admission/quota_clients": (1, 10_000_000),
    "serving/resident_versions": (1, 1_000),
    "serving/on_loop_ms": (0, 1_000),
    "serving/alone_on_loop_ms": (0, 1_000),
    "serving/max_batch_rows": (0, 2**20),
    "serving/batch_latency_ms": (0, 600_000),
    "serving/canary_slice_ms": (1, 600_000),
    "serving/canary_strikes": (1, 1_000_000),
    "serving/external_data_bytes": (0, 2**50),
    "serving/refresh_ms": (10, 60_000),
    "serving/scan_s": (0, 3_600),
    "serving/drain_s": (0, 3_600),
    "serving/load_s": (1, 3_600),
    "serving/threads": (0, 256),
    "serving/memory_budget_mb": (0, 16_777_216),
    "serving/idle_ttl_s": (0, 31_536_000),
    "serving/hang_s": (1, 3_600),
    "monitor/tick_s": (0.05, 86_400),
    "monitor/rows_per_s": (1, 10_000_000),
    "monitor/window_ticks": (1, 10_000),
    "monitor/minimum_rows": (1, 2**31),
    "monitor/drift_warn": (0, 100),
    "monitor/drift_page": (0, 100),
    "monitor/missing_warn": (0, 1),
    "monitor/missing_page": (0, 1),
    "monitor/collapse_warn": (0, 100),
    "monitor/collapse_page": (0, 100),
    "monitor/prediction_warn": (0, 1),
    "monitor/prediction_page": (0, 1),
    "monitor/tolerance": (0, 1),
    "monitor/missing_tolerance": (0, 1),
    "monitor/clear_ticks": (1, 10_000),
    "monitor/minimum_firing_s": (0, 604_800),
    "monitor/burn_in_s": (0, 604_800),
    "monitor/budget/pages_per_week": (0.001, 10_000),
    "monitor/budget/rows_between_false_pages": (1_000, 1e15),
    "monitor/silence_s": (0, 604_800),
    "monitor/feature_series": (0, 100_000),
    "metrics/series": (1_000, 1_000_000),
    "prediction_log/file_mb": (1, 4_096),
    "prediction_log/rotate_s": (1, 604_800),
    "prediction_log/keep_mb": (2, 16_777_216),
    "prediction_log/keep_days": (0.001, 36_500),
    "prediction_log/failures_per_s": (0, 100_000),
    "auth/oidc/leeway_s": (0, 300),
    "auth/oidc/refresh_s": (30, 86_400),
    "audit/checkpoint_s": (1, 86_400),
    "audit/checkpoint_records": (1, 1_000_000),
    "tracing/sample_ratio": (0, 1),
    "tracing/timeout_s": (0.1, 60),
}
"""Smallest and largest accepted value of every numeric setting."""

LEAST_NO_TRAFFIC_S = 10
"""Silence that pages: shorter, and the pauses of a steady client would wake somebody."""


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the settings file, then let variables such as ``WEIR_PORT`` and ``WEIR_MONITOR__TICK_S`` override it.

    Parameters
    ----------
    path
        A YAML file, or ``None`` for the defaults.
    environ
        The environment. A ``WEIR_`` variable that is no setting is left to others, but one that names a section and no
        setting in it is a fault.

    Raises
    ------
    DocumentInvalid
        For a file that cannot be read, a fault against the types, and a value outside its range.
    """
    source = "the settings" if path is None else str(path)
    plain = _read_file(path) if path else {}
    if isinstance(plain, dict):
        for steps, text, type_ in _overrides(environ):
            _put(plain, steps, _from_text(text, type_))
    settings = read_document(plain, Settings, source=source)
    check_settings(settings, source)
    return settings


def check_settings(settings: Settings, source: str = "the settings") -> None:
    """Raise ``DocumentInvalid`` for values outside :data:`RANGES`, and for settings that do not fit together."""
    rules = (
        _outside,
        _crossed,
        _overspent,
        _expecting,
        _oversized,
        _halved,
        _unaddressed,
        _unreadable,
        _untraced,
        _unissued,
        _unsigned,
    )
    faults = [fault for rule in rules for fault in rule(settings)]
    if faults:
        raise DocumentInvalid(source, faults)


def encode_settings(settings: Settings) -> bytes:
    """Write settings as the JSON that :func:`decode_settings` reads; holds no secret."""
    return encode_document(settings)


def decode_settings(data: bytes) -> Settings:
    """Read what :func:`encode_settings` wrote."""
    return decode_document(data, Settings, source="settings.json")


def _read_file(path: Path) -> Any:
    try:
        plain = parse_yaml(path.read_bytes())
    except OSError as error:
        raise DocumentInvalid(str(path), [Fault("", "missing", "a settings file", str(error.strerror))]) from error
    except YamlRefused as refused:
        raise DocumentInvalid(str(path), [refused.fault]) from refused
    return {} if plain is None else plain


def _overrides(environ: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Give path, text and type of each setting that the environment names."""
    hints = get_type_hints(Settings)
    for name in sorted(environ):
        head, *steps = name.removeprefix(PREFIX).lower().split("__")
        if not name.startswith(PREFIX) or head not in hints or is_dataclass(hints[head]) != bool(steps):
            continue
        yield (head, *steps), environ[name], _type_at(name, hints[head], steps)


def _type_at(name: str, kind: Any, steps: Sequence[str]) -> Any:
    """Return the type of the setting that a variable's steps lead to, section by section."""
    for i, step in enumerate(steps):
        inner = get_type_hints(kind) if is_dataclass(kind) else {}
        ends = i == len(steps) - 1
        if step not in inner or is_dataclass(inner[step]) == ends:
            found = f"unknown field {'__'.join(steps[i:])!r}"
            raise DocumentInvalid(name, [Fault("", "unknown", "one of " + ", ".join(inner), found)])
        kind = inner[step]
    return kind


def _from_text(text: str, type_: Any) -> Any:
    if type_ in (str, Path) or get_origin(type_) is Literal:
        return text
    if get_origin(type_) is UnionType:
        return _from_text(text, get_args(type_)[0]) if text else None
    try:
        return parse_yaml(text.encode())
    except YamlRefused:
        return text


def _put(plain: dict[str, Any], steps: tuple[str, ...], value: Any) -> None:
    *parents, last = steps
    for step in parents:
        inner = plain.setdefault(step, {})
        if not isinstance(inner, dict):
            return  # not an object in the file: the reader will say so
        plain = inner
    plain[last] = value


def _outside(settings: Settings) -> Iterator[Fault]:
    for pointer, (low, high) in RANGES.items():
        found = _value_at(settings, pointer)
        if found is not None and not low <= found <= high:
            yield Fault(f"/{pointer}", "out_of_range", f"a number from {exact(low)} to {exact(high)}", exact(found))


def _crossed(settings: Settings) -> Iterator[Fault]:
    for field in fields(settings.monitor):
        if field.name.endswith("_warn"):
            warn = getattr(settings.monitor, field.name)
            page = getattr(settings.monitor, field.name.removesuffix("_warn") + "_page")
            if warn > page:
                expected = f"at most the page threshold {exact(page)}"
                yield Fault(f"/monitor/{field.name}", "out_of_range", expected, exact(warn))


def _overspent(settings: Settings) -> Iterator[Fault]:
    low, high = RANGES["monitor/budget/pages_per_week"]
    for model, pages in settings.monitor.budget.overrides.items():
        if not low <= pages <= high:
            expected = f"false pages a week from {exact(low)} to {exact(high)}"
            yield Fault(f"/monitor/budget/overrides/{model}", "out_of_range", expected, exact(pages))


def _expecting(settings: Settings) -> Iterator[Fault]:
    low, high = LEAST_NO_TRAFFIC_S, RANGES["monitor/silence_s"][1]
    for model, seconds in settings.monitor.no_traffic_s.items():
        if not low <= seconds <= high:
            expected = f"seconds without a row from {exact(low)} to {exact(high)}"
            yield Fault(f"/monitor/no_traffic_s/{model}", "out_of_range", expected, exact(seconds))


def _oversized(settings: Settings) -> Iterator[Fault]:
    log = settings.prediction_log
    if log.keep_mb < 2 * log.file_mb:
        least = f"at least two files, {2 * log.file_mb}"
        yield Fault("/prediction_log/keep_mb", "out_of_range", least, str(log.keep_mb))


def _halved(settings: Settings) -> Iterator[Fault]:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        absent, given = ("tls_key", "tls_cert") if settings.tls_key is None else ("tls_cert", "tls_key")
        yield Fault(f"/{absent}", "missing", f"a file, since {given} is given", "nothing")
    if settings.admin_host is not None and settings.admin_port is None:
        yield Fault("/admin_port", "missing", "a port, since admin_host is given", "nothing")


def _unaddressed(settings: Settings) -> Iterator[Fault]:
    if is_redis(settings.state) and (expected := address_fault(settings.state)):
        yield Fault("/state", "value", expected, "another address")  # which may hold a password
    if not _NAMESPACE.fullmatch(settings.redis.namespace):
        yield Fault("/redis/namespace", "value", "letters, digits, '.', '_' and '-'", repr(settings.redis.namespace))


def _unreadable(settings: Settings) -> Iterator[Fault]:
    admission = settings.admission
    for i, text in enumerate(admission.trusted_proxies):
        try:
            ip_network(text)
        except ValueError:
            yield Fault(f"/admission/trusted_proxies/{i}", "value", "a network such as 10.0.0.0/8", repr(text))
    for digest, rate in admission.quota_overrides.items():
        if not _SHA256.fullmatch(digest) or not 0 <= rate <= 1_000_000:
            # What was found is not told: it may be the key itself.
            expected = "the SHA-256 of a key in hexadecimal, and requests a second from 0 to 1000000"
            yield Fault("/admission/quota_overrides", "value", expected, "another entry")
    yield from _unnamed(settings)
    if not _HEADER_NAME.fullmatch(admission.api_key_header):
        yield Fault("/admission/api_key_header", "value", "the name of a header", repr(admission.api_key_header))


def _unnamed(settings: Settings) -> Iterator[Fault]:
    monitor = settings.monitor
    lists = {"detectors": monitor.detectors}
    lists |= {f"model_detectors/{model}": names for model, names in monitor.model_detectors.items()}
    for where, names in lists.items():
        for i, name in enumerate(names):
            if not _DETECTOR_NAME.fullmatch(name) or name in names[:i]:
                expected = "names of detectors, each once, of lower-case letters, digits and '-'"
                yield Fault(f"/monitor/{where}/{i}", "value", expected, repr(name))


def _untraced(settings: Settings) -> Iterator[Fault]:
    tracing = settings.tracing
    if tracing.endpoint is not None and (expected := endpoint_fault(tracing.endpoint)):
        yield Fault("/tracing/endpoint", "value", expected, "another text")  # which may hold a password
    if not _SERVICE_NAME.fullmatch(tracing.service_name):
        yield Fault(
            "/tracing/service_name", "value", "1 to 128 printable characters of ASCII", repr(tracing.service_name)
        )


def _unsigned(settings: Settings) -> Iterator[Fault]:
    audit = settings.audit
    if (audit.checkpoints is None) != (audit.checkpoint_key is None):
        absent = "checkpoints" if audit.checkpoints is None else "checkpoint_key"
        expected = "a path, since checkpoints need a folder and a key"
        yield Fault(f"/audit/{absent}", "missing", expected, "nothing")


def _unissued(settings: Settings) -> Iterator[Fault]:
    oidc = settings.auth.oidc
    if oidc.issuer is None:
        if oidc.audience or oidc.roles:
            yield Fault("/auth/oidc/issuer", "missing", "an issuer, since audience or roles are given", "nothing")
        return
    if expected := issuer_fault(oidc.issuer):
        yield Fault("/auth/oidc/issuer", "value", expected, "another text")  # which may hold a password
    if not oidc.audience:
        yield Fault("/auth/oidc/audience", "missing", "what tokens for this gateway name in aud", "nothing")
    if not oidc.roles:
        yield Fault(
            "/auth/oidc/roles", "missing", "a role for a value of the claim, such as weir-admins: admin", "none"
        )
    for name in ("algorithms", "subject_claim", "roles_claim"):
        if not getattr(oidc, name):
            yield Fault(f"/auth/oidc/{name}", "value", "something", "nothing")


def _value_at(settings: Settings, pointer: str) -> float | None:
    value: Any = settings
    for step in pointer.split("/"):
        value = getattr(value, step)
    found: float | None = value
    return found
