"""Extras: packages that only some gateways need. Nothing here imports one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["GRPC", "PARQUET", "RELEASE", "TRACING", "Extra"]


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra by the name under which it is installed, and its packages as (module, package)."""

    name: str
    packages: tuple[tuple[str, str], ...]

    def missing(self) -> list[str]:
        """Return the names of the packages that are not installed."""
        return [package for module, package in self.packages if not _is_here(module)]


GRPC = Extra("weir[grpc]", (("grpc", "grpcio"), ("google.protobuf", "protobuf"), ("tritonclient", "tritonclient")))
PARQUET = Extra("weir[parquet]", (("pyarrow", "pyarrow"),))
RELEASE = Extra("weir[release]", (("sklearn", "scikit-learn"), ("fairlearn", "fairlearn")))
TRACING = Extra(
    "weir[tracing]",
    (
        ("opentelemetry.trace", "opentelemetry-api"),
        ("opentelemetry.sdk.trace", "opentelemetry-sdk"),
        ("opentelemetry.exporter.otlp.proto.http", "opentelemetry-exporter-otlp-proto-http"),
        ("requests", "requests"),
    ),
)


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
