"""Detectors: one method a file, one contract (``base``) for all."""

__all__: list[str] = []
