"""Are the packages here that gRPC needs? They are an extra; this module imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["EXTRA", "missing_packages"]

EXTRA = "weir[grpc]"
_PACKAGES = {"grpc": "grpcio", "google.protobuf": "protobuf", "tritonclient": "tritonclient"}


def missing_packages() -> list[str]:
    """Return the names of the packages that are not installed."""
    return [package for module, package in _PACKAGES.items() if not _is_here(module)]


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
