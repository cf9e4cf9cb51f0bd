"""Settings from ``weir.yaml`` and ``WEIR_*`` variables, and their way through the run directory's ``settings.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gateway.codec.documents import decode_document, encode_document, read_document
from gateway.codec.plain_yaml import YamlRefused, parse_yaml
from gateway.errors import DocumentInvalid, Fault
from gateway.settings import Settings

__all__ = ["RANGES", "check_settings", "decode_settings", "encode_settings", "load_settings"]

PREFIX = "WEIR_"
RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "admin_port": (0, 65_535),
    "workers": (1, 256),
    "limits/body_bytes": (1, 2**40),
    "limits/rows": (1, 2**31),
    "limits/depth": (1, 512),
    "limits/queue_rows": (1, 2**31),
    "limits/request_timeout_s": (0.001, 3_600),
    "limits/read_timeout_s": (0.1, 3_600),
    "serving/resident_versions": (1, 1_000),
    "serving/on_loop_ms": (0, 1_000),
    "serving/max_batch_rows": (1, 2**20),
    "serving/canary_slice_ms": (1, 600_000),
    "serving/canary_strikes": (1, 1_000_000),
    "serving/external_data_bytes": (0, 2**50),
    "serving/refresh_ms": (10, 60_000),
    "serving/scan_s": (0, 3_600),
    "serving/drain_s": (0, 3_600),
    "serving/load_s": (1, 3_600),
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
    "monitor/clear_ticks": (1, 10_000),
    "monitor/silence_s": (0, 604_800),
    "monitor/feature_series": (0, 100_000),
}
"""Smallest and largest accepted value of every numeric setting."""


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
    faults = [*_outside(settings), *_crossed(settings), *_halved(settings)]
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
        head, _, rest = name.removeprefix(PREFIX).lower().partition("__")
        if not name.startswith(PREFIX) or head not in hints or is_dataclass(hints[head]) != bool(rest):
            continue
        inner = get_type_hints(hints[head]) if rest else {}
        if rest and rest not in inner:
            raise DocumentInvalid(name, [Fault("", "unknown", "one of " + ", ".join(inner), f"unknown field {rest!r}")])
        yield ((head, rest), environ[name], inner[rest]) if rest else ((head,), environ[name], hints[head])


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
            yield Fault(f"/{pointer}", "out_of_range", f"a number from {low:g} to {high:g}", f"{found:g}")


def _crossed(settings: Settings) -> Iterator[Fault]:
    for field in fields(settings.monitor):
        if field.name.endswith("_warn"):
            warn = getattr(settings.monitor, field.name)
            page = getattr(settings.monitor, field.name.removesuffix("_warn") + "_page")
            if warn > page:
                yield Fault(f"/monitor/{field.name}", "out_of_range", f"at most the page threshold {page:g}", str(warn))


def _halved(settings: Settings) -> Iterator[Fault]:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        absent, given = ("tls_key", "tls_cert") if settings.tls_key is None else ("tls_cert", "tls_key")
        yield Fault(f"/{absent}", "missing", f"a file, since {given} is given", "nothing")
    if settings.admin_host is not None and settings.admin_port is None:
        yield Fault("/admin_port", "missing", "a port, since admin_host is given", "nothing")


def _value_at(settings: Settings, pointer: str) -> float | None:
    value: Any = settings
    for step in pointer.split("/"):
        value = getattr(value, step)
    return None if value is None else float(value)
